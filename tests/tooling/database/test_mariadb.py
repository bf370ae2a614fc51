"""The private MariaDB: a real server that is removed however its owner ends."""

import errno
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pymysql
import pytest

from scripts.tooling.environment import ROOT
from tests.patience import HANG_SECONDS

# Python handles a signal between two instructions; a signal just before a blocking read would
# wait until the read ends. So the owner waits in short intervals.
OWNER = """
import select, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # where the tests run in the background
from scripts.tooling.database.mariadb import private_server
with private_server() as url:
    print(url, flush=True)
    while not select.select([sys.stdin], [], [], 0.1)[0]:
        pass
"""


@pytest.fixture
def temporary(tmp_path: Path) -> Path:
    folder = tmp_path / "temporary"
    folder.mkdir()
    return folder


@pytest.fixture
def owner(temporary: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that holds a private server until it reads a line."""
    environ = {name: value for name, value in os.environ.items() if name != "TEST_MYSQL_URL"}
    with _owner(environ | {"TMPDIR": str(temporary)}) as process:
        yield process
        process.kill()


def _owner(environ: dict[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", OWNER],
        cwd=ROOT,
        env=environ,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def _url(owner: subprocess.Popen[str]) -> str:
    assert owner.stdout is not None
    return owner.stdout.readline().strip()


def _query(url: str, *statements: str) -> object:
    parts = urlsplit(url)
    with (
        pymysql.connect(
            host=parts.hostname,
            port=parts.port or 0,
            user=parts.username,
            password=parts.password or "",
            ssl_disabled=True,
        ) as connection,
        connection.cursor() as cursor,
    ):
        for statement in statements:
            cursor.execute(statement)
        return cursor.fetchone()


def _refuses_connections(url: str) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", urlsplit(url).port or 0)) == errno.ECONNREFUSED


def _becomes_true(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + HANG_SECONDS
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    return condition()


def test_its_user_makes_databases_in_utf8(owner: subprocess.Popen[str]) -> None:
    row = _query(
        _url(owner),
        "CREATE DATABASE pharmacy",
        "CREATE TABLE pharmacy.drugs (name VARCHAR(20))",
        "INSERT INTO pharmacy.drugs VALUES ('阿司匹林 💊')",
        "SELECT name FROM pharmacy.drugs",
    )

    assert row == ("阿司匹林 💊",)


def test_it_is_as_strict_as_mysql_8(owner: subprocess.Popen[str]) -> None:
    mode = "ONLY_FULL_GROUP_BY,STRICT_TRANS_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE"

    row = _query(_url(owner), "SELECT @@sql_mode")

    assert row == (f"{mode},ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION",)


def test_nobody_gets_in_without_its_password(owner: subprocess.Popen[str]) -> None:
    parts = urlsplit(_url(owner))

    with pytest.raises(pymysql.OperationalError, match="Access denied"):
        _query(f"mysql://root@127.0.0.1:{parts.port}", "SELECT 1")


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_a_signal_to_its_owner_leaves_no_server_and_no_files(
    owner: subprocess.Popen[str], temporary: Path, end: signal.Signals
) -> None:
    url = _url(owner)

    owner.send_signal(end)

    assert _becomes_true(lambda: _refuses_connections(url))
    assert _becomes_true(lambda: list(temporary.iterdir()) == [])


def test_the_end_of_its_block_leaves_no_server_and_no_files(
    owner: subprocess.Popen[str], temporary: Path
) -> None:
    url = _url(owner)

    owner.communicate("\n")

    assert owner.returncode == 0
    assert _refuses_connections(url)
    assert list(temporary.iterdir()) == []


def test_a_server_of_the_developers_choice_is_used_as_it_is(temporary: Path) -> None:
    given = {"TEST_MYSQL_URL": "mysql://me:secret@127.0.0.1:3306/", "TMPDIR": str(temporary)}

    with _owner({**os.environ, **given}) as process:
        answer, _ = process.communicate("\n")

    assert answer == "mysql://me:secret@127.0.0.1:3306\n"
    assert list(temporary.iterdir()) == []
