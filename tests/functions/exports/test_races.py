"""Exports by worker processes: killed, cancelled, and during concurrent writes."""

import hashlib
import os
import secrets
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from shared.database import transactions
from shared.database.connection import Connection
from shared.database.transactions import transaction
from shared.exports.object_keys import WORKER
from shared.ids import new_id
from shared.repos import conversations
from shared.times import now_ms
from shared.workers.worker import issue_service_token
from tests.conftest import Configure
from tests.events import v1_event
from tests.fakes import oss, platform
from tests.functions.exports.exporting import add_messages, audit_entries, csv_rows, message
from tests.functions.exports.test_jobs import INTERNAL, delete, expire, queued, told, work
from tests.patience import HANG_SECONDS, promised
from tests.people import NOON_MS
from tests.web import eventually

_CALL = """
import sys
from functions.export_worker.index import handler
print(handler(sys.stdin.buffer.read(), None)["body"])
"""


@pytest.fixture
def secret() -> str:
    return secrets.token_hex(32)


@pytest.fixture
def bucket(database: str, configure: Configure, secret: str) -> Iterator[oss.Bucket]:
    with oss.running() as running, platform.running() as called:
        configure(
            DATABASE_URL=database,
            JWT_SECRET=secret,
            EXPORT_WORKER_URL=called.url,
            **running.variables,
        )
        yield running


@contextmanager
def working(
    export_id: str, database: str, secret: str, bucket: oss.Bucket
) -> "Iterator[subprocess.Popen[bytes]]":
    """Start the worker in another process and call it once."""
    headers = {"Authorization": f"Bearer {issue_service_token(WORKER, export_id)}"}
    variables = {"APP_ENV": "test", "JWT_SECRET": secret, "DATABASE_URL": database}
    process = subprocess.Popen(
        [sys.executable, "-c", _CALL],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={"PATH": os.defpath, **variables, **bucket.variables},
    )
    assert process.stdin
    process.stdin.write(v1_event("POST", INTERNAL, headers=headers))
    process.stdin.close()
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        assert process.stdout
        process.stdout.close()


def large() -> None:
    """Insert text for about four parts of an upload."""
    add_messages(*(message(number, f"{number:05} " * 2500) for number in range(300)))


def test_a_worker_killed_in_the_middle_leaves_no_trace_in_what_comes_after(
    bucket: oss.Bucket, database: str, secret: str
) -> None:
    large()
    export_id = queued(dataset="messages")
    bucket.stall.append("part")
    with working(export_id, database, secret, bucket) as process:
        eventually(lambda: "part" in bucket.requests)
        assert len(bucket.uploads) == 1
        process.kill()  # SIGKILL
        process.wait()
    bucket.gate.set()
    assert told(export_id)["state"] == "running"
    expire(export_id)

    assert work(export_id).data["state"] == "done"

    (found,) = bucket.objects.values()
    assert bucket.uploads == {}
    assert len(csv_rows(found.body)) == 301
    sha256 = hashlib.sha256(found.body).hexdigest()
    assert (told(export_id)["sha256"], told(export_id)["attempt"]) == (sha256, 2)
    (entry,) = [one for one in audit_entries() if one.action == "export"]
    assert (entry.id, sha256 in entry.detail) == (export_id, True)


def test_a_cancellation_is_seen_within_two_seconds_even_while_the_storage_is_silent(
    bucket: oss.Bucket, database: str, secret: str
) -> None:
    large()
    export_id = queued(dataset="messages")
    bucket.stall.append("part")
    with working(export_id, database, secret, bucket) as process:
        eventually(lambda: "part" in bucket.requests)
        asked = time.monotonic()
        assert delete(export_id).data["state"] == "cancelling"

        eventually(lambda: told(export_id)["state"] == "cancelled")

        assert time.monotonic() - asked < promised(2)
        bucket.gate.set()
        assert process.wait(HANG_SECONDS) == 0
    assert (bucket.objects, bucket.uploads) == ({}, {})
    assert [one for one in audit_entries() if one.action == "export"] == []


def test_progress_is_told_while_it_is_written(
    bucket: oss.Bucket, database: str, secret: str
) -> None:
    large()
    export_id = queued(dataset="messages")
    bucket.stall.append("part")
    with working(export_id, database, secret, bucket) as process:
        eventually(lambda: told(export_id)["bytes"] > 1_000_000)
        shown = told(export_id)
        bucket.gate.set()
        assert process.wait(HANG_SECONDS) == 0

    assert (shown["state"], shown["link"]) == ("running", None)
    assert 0 < shown["rows"] < 300


@pytest.mark.parametrize("database", ["mariadb"], indirect=True)
def test_two_workers_called_at_once_write_one_object(
    bucket: oss.Bucket, database: str, secret: str
) -> None:
    large()
    export_id = queued(dataset="messages")
    with (
        working(export_id, database, secret, bucket) as one,
        working(export_id, database, secret, bucket) as other,
    ):
        codes = [one.wait(HANG_SECONDS), other.wait(HANG_SECONDS)]

    assert 0 in codes
    assert (len(bucket.objects), told(export_id)["attempt"]) == (1, 1)
    assert len([entry for entry in audit_entries() if entry.action == "export"]) == 1


@pytest.mark.parametrize("database", ["mariadb"], indirect=True)
def test_an_export_amid_twenty_writers_is_of_one_moment(bucket: oss.Bucket, database: str) -> None:
    """Each writer adds pairs in one transaction: an export holds both halves or none."""
    add_messages(*(message(number, "before" * 200) for number in range(2000)))
    export_id, over = queued(dataset="messages"), threading.Event()
    writers = [threading.Thread(target=_write, args=(n, over)) for n in range(20)]
    for writer in writers:
        writer.start()
    try:
        eventually(lambda: _pairs() > 50)
        assert work(export_id).data["state"] == "done"
        before = _pairs()
        eventually(lambda: _pairs() > before)
    finally:
        over.set()
        for writer in writers:
            writer.join()

    (found,) = bucket.objects.values()
    contents = [row[7] for row in csv_rows(found.body)[1:]]
    firsts = {text[5:] for text in contents if text.startswith("first")}
    seconds = {text[6:] for text in contents if text.startswith("second")}
    assert (contents.count("before" * 200), firsts == seconds) == (2000, True)
    assert 50 < len(firsts) < _pairs()


def _write(number: int, over: threading.Event) -> None:
    """Insert rows with old and new times, before and after the reader's position."""
    turn = 0
    while not over.is_set():
        turn += 1
        transaction(_add_pair, f" {number}-{turn}")
    transactions.disconnect()


def _add_pair(connection: Connection, name: str) -> None:
    for half, at_ms in (("first", NOON_MS - 1), ("second", now_ms() + 10**9)):
        row = message(0, f"{half}{name}", id=new_id(), created_at_ms=at_ms)
        conversations.append(connection, row)


def _pairs() -> int:
    return len(
        transactions.read(
            lambda c: c.find_all(dict, "SELECT id FROM messages WHERE content LIKE 'first%'")
        )
    )
