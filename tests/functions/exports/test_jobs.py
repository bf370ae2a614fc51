"""Exports by the worker: created, written, downloaded, cancelled, restarted."""

import hashlib
import json
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from functions.export_worker import writing
from functions.export_worker.index import handler as worker
from functions.exports.index import handler as exports
from functions.maintenance.index import handler as maintenance
from shared.database.connection import Connection
from shared.database.transactions import read, transaction
from shared.exports.object_keys import WORKER
from shared.repos import export_jobs
from shared.storage.choice import storage
from shared.workers.worker import WorkerFailed, issue_service_token
from tests.conftest import Configure
from tests.events import Context, Reply, call, invoke, v1_event
from tests.fakes import oss, platform
from tests.fakes.platform import Platform
from tests.functions.exports.exporting import (
    ANNA,
    ROOT,
    add_messages,
    add_users,
    admin_token,
    ask,
    audit_entries,
    csv_rows,
    message,
    token_of,
)

PATH = "/api/admin/exports"
INTERNAL = "/api/internal/exports"


@pytest.fixture
def bucket(database: str, configure: Configure) -> Iterator[oss.Bucket]:
    """A bucket, and a platform that only records asynchronous calls."""
    with oss.running() as running, platform.running() as called:
        configure(DATABASE_URL=database, EXPORT_WORKER_URL=called.url, **running.variables)
        running.platform = called  # type: ignore[attr-defined]  # for the tests below
        yield running


@pytest.fixture
def called(bucket: oss.Bucket) -> Platform:
    found: Platform = bucket.platform  # type: ignore[attr-defined]  # set above
    return found


def queued(**query: str) -> str:
    """The id of an export that an administrator has just created."""
    reply = ask(admin_token(), delivery="link", **{"dataset": "users", **query})
    assert reply.status == 202, reply.body
    return str(reply.data["id"])


def work(export_id: str, token: str = "") -> Reply:
    event = v1_event(
        "POST",
        INTERNAL,
        headers={"Authorization": f"Bearer {token or issue_service_token(WORKER, export_id)}"},
    )
    return call(worker, event)


def told(export_id: str) -> dict[str, Any]:
    reply = invoke(exports, "GET", f"{PATH}/{export_id}", token=token_of(ROOT))
    assert reply.status == 200, reply.body
    data: dict[str, Any] = reply.data
    return data


def delete(export_id: str) -> Reply:
    return invoke(exports, "DELETE", f"{PATH}/{export_id}", token=token_of(ROOT))


def entries(action: str) -> list[dict[str, Any]]:
    return [json.loads(one.detail) for one in audit_entries() if one.action == action]


def expire(export_id: str) -> None:
    """Let the lease of an export expire."""
    transaction(_expire, export_id)


def _expire(db: Connection, export_id: str) -> None:
    db.execute("UPDATE exports SET lease_until_ms = 1 WHERE id = :id", id=export_id)


def tended() -> dict[str, object]:
    summary = maintenance((b"{}"), Context())
    return {name: summary[name] for name in ("exports_resumed", "exports_ended")}


def test_an_export_becomes_an_object_a_link_and_an_entry(
    bucket: oss.Bucket, called: Platform
) -> None:
    add_messages(message(1, "=1+1"), message(2, "你好", role="assistant"))
    export_id = queued(dataset="messages")
    assert [(one.path, one.kind) for one in called.calls] == [(INTERNAL, "Async")]
    assert told(export_id)["state"] == "queued"

    assert work(export_id, called.calls[0].token).data == {"id": export_id, "state": "done"}

    ((key, found),) = bucket.objects.items()
    sha256 = hashlib.sha256(found.body).hexdigest()
    assert [row[7] for row in csv_rows(found.body)] == ["content", "'=1+1", "你好"]
    label = {"Label": "1", "ContentProducer": "fc-ai-backend", "ProduceID": export_id}
    assert json.loads(found.headers["x-oss-meta-aigc"]) == {"AIGC": label}
    facts = {"dataset": "messages", "format": "csv", "from": None, "to": None, "rows": 2}
    detail = {**facts, "bytes": len(found.body), "sha256": sha256}
    assert entries("export") == [{**detail, "delivery": "link"}]
    shown = told(export_id)
    link = shown.pop("link")
    assert {name: shown[name] for name in detail} == detail
    assert (shown["state"], shown["attempt"], shown["failure"]) == ("done", 1, None)
    answer = httpx.get(link["url"])
    assert answer.content == found.body
    assert key.rpartition("/")[2] in answer.headers["content-disposition"]
    assert "x-oss-expires=600" in link["url"]


@pytest.mark.parametrize("kind", ["csv", "ndjson", "xlsx"])
def test_a_file_is_the_same_by_either_way(kind: str, bucket: oss.Bucket) -> None:
    export_id = queued(format=kind)
    inline = ask(token_of(ROOT), dataset="users", format=kind)
    work(export_id)

    (found,) = bucket.objects.values()
    assert found.headers["Content-Type"] == inline.headers["Content-Type"]
    if kind != "xlsx":  # a workbook says when it was made
        assert found.body == inline.body


def test_a_large_file_is_uploaded_in_parts(bucket: oss.Bucket) -> None:
    add_messages(*(message(number, f"{number}," * 3000) for number in range(300)))
    export_id = queued(dataset="messages")
    work(export_id)

    (found,) = bucket.objects.values()
    assert bucket.requests.count("part") > 2
    assert len(csv_rows(found.body)) == 301
    assert told(export_id)["sha256"] == hashlib.sha256(found.body).hexdigest()


def test_what_is_too_large_for_an_answer_becomes_a_link_by_itself(
    bucket: oss.Bucket, called: Platform, configure: Configure
) -> None:
    token = admin_token()
    add_messages(message(1, "x" * 2000))
    configure(EXPORT_INLINE_BYTES="1024")

    accepted = ask(token, dataset="messages")
    refused = ask(token, dataset="messages", delivery="inline")

    assert (accepted.status, accepted.data["state"]) == (202, "queued")
    assert accepted.data["status_url"] == f"{PATH}/{accepted.data['id']}"
    assert len(called.calls) == 1
    assert (refused.status, refused.error) == (413, "export_too_large")
    assert "ask with delivery=link" in refused.json["details"][0]["problem"]


def test_nobody_without_a_token_for_it_starts_a_worker(bucket: oss.Bucket) -> None:
    export_id = queued()
    access = token_of(ROOT)
    for token, error in {
        "": "unauthorized",
        access: "invalid_token",
        issue_service_token("another-worker", export_id): "invalid_token",
        "nonsense": "invalid_token",
    }.items():
        reply = invoke(worker, "POST", INTERNAL, token=token)
        assert (reply.status, reply.error) == (401, error)
    service = issue_service_token(WORKER, export_id)
    refused = invoke(exports, "GET", PATH, token=service)
    assert (refused.status, refused.error) == (401, "invalid_token")
    assert told(export_id)["state"] == "queued"


def test_a_token_is_good_for_one_export(bucket: oss.Bucket) -> None:
    first, second = queued(), str(ask(token_of(ROOT), dataset="users", delivery="link").data["id"])
    work(first, issue_service_token(WORKER, first))

    assert (told(first)["state"], told(second)["state"]) == ("done", "queued")


def test_only_administrators_see_exports_and_unknown_ones_are_not_found(
    bucket: oss.Bucket,
) -> None:
    export_id = queued()
    add_users(ANNA)
    one = f"{PATH}/{export_id}"
    for method, path in [("GET", PATH), ("GET", one), ("DELETE", one)]:
        assert invoke(exports, method, path).status == 401
        assert invoke(exports, method, path, token=token_of(ANNA)).status == 403
    assert invoke(exports, "GET", f"{PATH}/01NONE", token=token_of(ROOT)).status == 404
    assert delete("01NONE").status == 404
    assert told(export_id)["state"] == "queued"


def test_whoever_is_lent_a_link_is_written_down(bucket: oss.Bucket) -> None:
    """The link goes to another administrator than the one who created the export."""
    export_id, other = queued(), replace(ANNA, role="admin")
    add_users(other)
    work(export_id)
    path = f"{PATH}/{export_id}"

    invoke(exports, "HEAD", path, token=token_of(other))
    listed = invoke(exports, "GET", PATH, token=token_of(other)).data["items"]
    assert ([one["link"] for one in listed], entries("export.link")) == ([None], [])
    invoke(exports, "GET", path, token=token_of(other))

    lent = [(one.actor_id, one.detail) for one in audit_entries() if one.action == "export.link"]
    assert lent == [(other.id, json.dumps({"export": export_id}))]


def test_exports_are_listed_the_newest_first(bucket: oss.Bucket) -> None:
    ids = [queued()] + [
        str(ask(token_of(ROOT), dataset="audit", delivery="link").data["id"]) for _ in range(2)
    ]
    first = invoke(exports, "GET", PATH, token=token_of(ROOT), query={"limit": "2"}).data
    query = {"limit": "2", "cursor": first["next_cursor"]}
    second = invoke(exports, "GET", PATH, token=token_of(ROOT), query=query).data

    shown = [one["id"] for one in first["items"] + second["items"]]
    assert (shown, second["next_cursor"]) == (ids[::-1], None)


def test_called_twice_it_is_written_once(bucket: oss.Bucket) -> None:
    export_id = queued()
    assert [work(export_id).data["state"] for _ in range(2)] == ["done", "ended"]
    assert (len(bucket.objects), len(entries("export"))) == (1, 1)


def test_a_call_while_another_works_is_put_off(bucket: oss.Bucket) -> None:
    export_id = queued()
    transaction(export_jobs.claim, export_id, at_ms=0, until_ms=10**14)
    with pytest.raises(WorkerFailed):
        work(export_id)
    assert told(export_id)["state"] == "running"


def test_a_failure_is_raised_tells_its_name_and_is_tried_again(
    bucket: oss.Bucket, capsys: pytest.CaptureFixture[str]
) -> None:
    export_id = queued()
    bucket.fail += [("complete", 503)]

    with pytest.raises(WorkerFailed) as failure:
        work(export_id)

    assert (failure.value.__cause__, failure.value.args) == (None, ("status 503",))
    assert told(export_id)["failure"] == "storage_unavailable"
    assert (bucket.objects, bucket.uploads, entries("export")) == ({}, {}, [])
    assert work(export_id).data["state"] == "done"
    assert (told(export_id)["failure"], told(export_id)["attempt"]) == (None, 2)
    assert oss.KEY.secret not in capsys.readouterr().out


def test_what_goes_on_failing_fails_for_good_and_leaves_nothing(bucket: oss.Bucket) -> None:
    export_id = queued()
    for _ in range(4):
        bucket.fail += [("complete", 503)]
        with pytest.raises(WorkerFailed):
            work(export_id)
    bucket.fail += [("complete", 503)]

    assert work(export_id).data["state"] == "failed"

    assert (told(export_id)["state"], told(export_id)["failure"]) == (
        "failed",
        "storage_unavailable",
    )
    assert (bucket.objects, bucket.uploads, entries("export")) == ({}, {}, [])
    assert work(export_id).data["state"] == "ended"


def test_a_workbook_over_its_limit_fails_at_once_and_says_so(
    bucket: oss.Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("functions.export_worker.parts.Parts.limit_bytes", 1000)
    add_messages(*(message(number, str(number) * 90) for number in range(1200)))
    export_id = queued(dataset="messages", format="xlsx")

    assert work(export_id).data["state"] == "failed"
    assert told(export_id)["failure"] == "export_too_large"
    assert (bucket.objects, bucket.uploads) == ({}, {})


def test_what_waits_is_cancelled_at_once(bucket: oss.Bucket) -> None:
    export_id = queued()
    assert delete(export_id).data["state"] == "cancelled"
    assert work(export_id).data["state"] == "ended"
    assert (bucket.objects, entries("export")) == ({}, [])
    assert entries("export.cancel") == [{"export": export_id}]
    assert delete(export_id).data["state"] == "cancelled"
    assert len(entries("export.cancel")) == 1


def test_a_file_can_be_removed_and_its_record_stays(bucket: oss.Bucket) -> None:
    export_id = queued()
    work(export_id)
    shown = delete(export_id).data
    assert (shown["state"], shown["rows"], shown["link"]) == ("done", 1, None)
    assert (bucket.objects, entries("export.remove")) == ({}, [{"export": export_id}])
    assert told(export_id)["link"] is None


def test_without_the_address_of_the_worker_the_variable_is_named_and_nothing_waits(
    bucket: oss.Bucket, configure: Configure, capsys: pytest.CaptureFixture[str]
) -> None:
    token = admin_token()
    configure(EXPORT_WORKER_URL=None)
    reply = ask(token, dataset="users", delivery="link")
    assert (reply.status, reply.error) == (503, "misconfigured")
    assert "EXPORT_WORKER_URL is not set" in capsys.readouterr().out
    assert invoke(exports, "GET", PATH, token=token).data["items"] == []


def test_a_worker_that_cannot_be_reached_leaves_a_failed_job(
    bucket: oss.Bucket, configure: Configure, capsys: pytest.CaptureFixture[str]
) -> None:
    token = admin_token()
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    configure(EXPORT_WORKER_URL=f"http://127.0.0.1:{port}")
    reply = ask(token, dataset="users", delivery="link")
    assert (reply.status, reply.error) == (503, "worker_unreachable")
    assert '"variable": "EXPORT_WORKER_URL"' in capsys.readouterr().out
    (job,) = invoke(exports, "GET", PATH, token=token).data["items"]
    assert (job["state"], job["failure"]) == ("failed", "worker_unreachable")


@pytest.mark.parametrize("status", [200, 302, 404, 500])
def test_only_the_platform_accepts_a_call(
    status: int, bucket: oss.Bucket, called: Platform
) -> None:
    called.status = status
    assert ask(admin_token(), dataset="users", delivery="link").status == 503


def test_maintenance_has_the_job_of_a_killed_worker_taken_over(
    bucket: oss.Bucket, called: Platform
) -> None:
    export_id = queued()
    transaction(export_jobs.claim, export_id, at_ms=0, until_ms=10**14)
    assert tended() == {"exports_resumed": 0, "exports_ended": 0}
    expire(export_id)
    called.calls.clear()

    assert tended() == {"exports_resumed": 1, "exports_ended": 0}
    assert tended() == {"exports_resumed": 0, "exports_ended": 0}

    assert work(export_id, called.calls[0].token).data["state"] == "done"
    assert told(export_id)["attempt"] == 2


def test_a_worker_that_wakes_up_too_late_changes_nothing(bucket: oss.Bucket) -> None:
    export_id = queued()
    transaction(export_jobs.claim, export_id, at_ms=0, until_ms=0)
    late = read(export_jobs.get, export_id)
    work(export_id)

    for change in (
        lambda db: export_jobs.renew(db, late, written=(0, 0), until_ms=10**14),
        lambda db: export_jobs.release(db, late, "late", until_ms=0),
        lambda db: export_jobs.mark_failed(db, late, "late", at_ms=0),
        lambda db: export_jobs.mark_done(db, late, written=(0, 0), sha256="", key="", at_ms=0),
    ):
        assert transaction(change) is False
    assert (told(export_id)["state"], told(export_id)["attempt"]) == ("done", 2)


def test_a_worker_that_was_overtaken_takes_away_its_own_file_alone(bucket: oss.Bucket) -> None:
    export_id = queued()
    transaction(export_jobs.claim, export_id, at_ms=0, until_ms=0)
    late = read(export_jobs.get, export_id)
    work(export_id)
    (key,) = bucket.objects

    assert writing.run(late, storage()) == "lost"

    assert (list(bucket.objects), bucket.uploads) == ([key], {})
    assert len(entries("export")) == 1


@pytest.mark.parametrize(
    ("change", "failure"),
    [
        ("attempt = 5", "worker_killed"),
        ("created_at_ms = 1", "not_started"),
        ("created_at_ms = 1, failure = 'storage_unavailable'", "storage_unavailable"),
    ],
)
def test_maintenance_gives_up_what_comes_to_nothing(
    change: str, failure: str, bucket: oss.Bucket
) -> None:
    export_id = queued()
    transaction(lambda db: db.execute(f"UPDATE exports SET lease_until_ms = 1, {change}"))  # noqa: S608
    assert tended() == {"exports_resumed": 0, "exports_ended": 1}
    assert (told(export_id)["state"], told(export_id)["failure"]) == ("failed", failure)


def test_maintenance_ends_what_was_cancelled_while_nobody_had_it_in_hand(
    bucket: oss.Bucket,
) -> None:
    export_id = queued()
    transaction(export_jobs.claim, export_id, at_ms=0, until_ms=10**14)
    assert delete(export_id).data["state"] == "cancelling"
    expire(export_id)
    assert tended() == {"exports_resumed": 0, "exports_ended": 1}
    assert told(export_id)["state"] == "cancelled"


def test_maintenance_without_the_address_fails_the_job_and_names_the_variable(
    bucket: oss.Bucket, configure: Configure, capsys: pytest.CaptureFixture[str]
) -> None:
    export_id = queued()
    expire(export_id)
    configure(EXPORT_WORKER_URL=None)
    assert tended() == {"exports_resumed": 0, "exports_ended": 1}
    assert "EXPORT_WORKER_URL is not set" in capsys.readouterr().out
    assert told(export_id)["failure"] == "misconfigured"


def test_a_folder_takes_the_place_of_a_bucket(
    database: str, configure: Configure, tmp_path: Path
) -> None:
    with platform.running() as called:
        configure(
            DATABASE_URL=database,
            EXPORT_WORKER_URL=called.url,
            STORAGE_FOLDER=str(tmp_path / "files"),
        )
        export_id = queued()
        work(export_id)
        link = told(export_id)["link"]["url"]

    (file,) = (tmp_path / "files").rglob("*.csv")
    assert hashlib.sha256(file.read_bytes()).hexdigest() == told(export_id)["sha256"]
    assert link.startswith("http://127.0.0.1:8000/.storage/exports/")
