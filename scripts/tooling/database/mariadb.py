"""A private MariaDB for one test run; it ends with the process that started it."""

import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import IO

import pymysql
from pymysql.cursors import Cursor

from shared import settings
from shared.database.connection import CONNECT_SECONDS
from shared.database.mysql import MySql

_PROGRAMS = ("mariadbd", "mariadb-install-db")
_START_SECONDS = 60
_STATEMENT_SECONDS = 60.0

# The default SQL mode of MySQL 8.
_SQL_MODE = (
    "ONLY_FULL_GROUP_BY,STRICT_TRANS_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE,"
    "ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION"
)

# A shell script that runs the server. When its standard input closes, for example because this
# process was killed, it kills the server and removes the folder.
_KEEPER = """
folder=$1; shift
exec 3<&0
"$@" 3<&- & server=$!
{ read -r _; kill -KILL $server; } <&3 & watch=$!
wait $server
kill $watch
rm -rf -- "$folder"
"""


class ServerFailed(Exception):
    """The server did not start; the text is the end of its log, and why we could not connect."""


@contextmanager
def private_server() -> Iterator[str]:
    """Yield `mysql://user:password@127.0.0.1:port`; the user may create databases.

    TEST_MYSQL_URL names a server to use instead, in the same form.

    Raises:
        SystemExit: MariaDB is missing and cannot be installed here.
        ServerFailed: it does not start within a minute.
    """
    given = os.environ.get("TEST_MYSQL_URL", "").strip()
    if given:
        yield given.rstrip("/")
        return
    ensure_installed()
    port, password = free_port(), secrets.token_hex(16)
    with (
        tempfile.TemporaryDirectory(prefix="mariadb-", ignore_cleanup_errors=True) as folder,
        tempfile.TemporaryFile() as log,
        _running(Path(folder), port, password, log.fileno()) as keeper,
    ):
        wait_until_ready(keeper, port, password, log)
        yield f"mysql://tester:{password}@127.0.0.1:{port}"


def create_database(server: str, name: str) -> str:
    """Create an empty database on a server with this base URL; return the database's URL."""
    with cursor_on(f"{server}/mysql") as cursor:
        cursor.execute(f"CREATE DATABASE {name} CHARACTER SET utf8mb4")
    return f"{server}/{name}"


@contextmanager
def cursor_on(url: str) -> Iterator[Cursor]:
    """Yield a cursor on the database of this URL; each statement commits.

    It connects as the product does, because PyMySQL itself reads all certificates of the
    system for each connection.
    """
    dialect = MySql(settings.database_url(url))
    with (
        closing(dialect.connect(CONNECT_SECONDS, _STATEMENT_SECONDS)) as connection,
        connection.cursor() as cursor,
    ):
        yield cursor


def ensure_installed() -> None:
    """Check that MariaDB is installed; as root on Debian, install it.

    Raises:
        SystemExit: it is missing; the message says what to do.
    """
    if os.environ.get("TEST_MYSQL_URL", "").strip() or not _missing():
        return
    if os.geteuid() == 0 and shutil.which("apt-get"):
        _install()
    if _missing():
        sys.exit(
            f"{' and '.join(_missing())} not found: install MariaDB (on Debian, as root:"
            " apt-get install mariadb-server) or set TEST_MYSQL_URL=mysql://user:password@host:port"
        )


def _missing() -> list[str]:
    return [name for name in _PROGRAMS if _program(name) is None]


def _program(name: str) -> str | None:
    """The path of a program, also in sbin, which is not on a normal user's PATH."""
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/local/sbin:/usr/sbin")


def _install() -> None:
    print("installing mariadb-server ...", file=sys.stderr, flush=True)
    for command in (["update"], ["install", "-y", "--no-install-recommends", "mariadb-server"]):
        done = subprocess.run(
            ["apt-get", "-q", *command],
            env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        if done.returncode != 0:
            sys.stderr.write(done.stdout.decode(errors="replace")[-2000:])


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@contextmanager
def _running(folder: Path, port: int, password: str, log: int) -> Iterator[subprocess.Popen[bytes]]:
    install(folder, log)
    keeper = start(_server_command(folder, port, password), folder, log)
    try:
        yield keeper
    finally:
        keeper.communicate()


def install(folder: Path, log: int) -> None:
    """Make the data of a new server."""
    subprocess.run(_install_command(folder), stdout=log, stderr=log, check=False)


def start(command: Sequence[str], doomed: Path, log: int) -> subprocess.Popen[bytes]:
    """Run a server under its keeper, in a session of its own, so that Ctrl-C spares both.

    The keeper removes the folder `doomed` when the server has ended.
    """
    return subprocess.Popen(
        ["/bin/sh", "-c", _KEEPER, "keeper", doomed, *command],
        stdin=subprocess.PIPE,
        stdout=log,
        stderr=log,
        start_new_session=True,
    )


def _install_command(folder: Path) -> list[str]:
    program = str(_program("mariadb-install-db"))
    data = f"--datadir={folder / 'data'}"
    return [program, "--no-defaults", *_user_option(), data, "--skip-test-db"]


def _server_command(folder: Path, port: int, password: str) -> list[str]:
    """The server's command line: without durability, which tests do not need."""
    return [
        *common_options(folder, port, password),
        "--innodb-flush-log-at-trx-commit=0",
        "--innodb-doublewrite=0",
    ]


def common_options(folder: Path, port: int, password: str) -> list[str]:
    """The server's command line, with the server's own durability."""
    grants = folder / "grants.sql"
    grants.write_text(
        f"CREATE USER IF NOT EXISTS tester@'127.0.0.1' IDENTIFIED BY '{password}';\n"
        "GRANT ALL ON *.* TO tester@'127.0.0.1' WITH GRANT OPTION;\n"
    )
    return [
        str(_program("mariadbd")),
        "--no-defaults",
        *_user_option(),
        f"--datadir={folder / 'data'}",
        f"--tmpdir={folder / 'data'}",  # not shared: a starting server clears its tmpdir
        "--socket=",  # no socket: the folder's path may be too long for one
        f"--pid-file={folder / 'pid'}",
        f"--init-file={grants}",
        "--skip-networking=0",
        "--bind-address=127.0.0.1",
        f"--port={port}",
        "--skip-name-resolve",
        "--skip-ssl",
        "--character-set-server=utf8mb4",
        f"--sql-mode={_SQL_MODE}",
        "--innodb-buffer-pool-size=64M",
        "--innodb-log-file-size=32M",
    ]


def _user_option() -> list[str]:
    """The option without which the server refuses to run as root."""
    return ["--user=root"] if os.geteuid() == 0 else []


def wait_until_ready(
    keeper: subprocess.Popen[bytes], port: int, password: str, log: IO[bytes]
) -> None:
    """Raises: ServerFailed, with the end of the server's log and why we could not connect."""
    failure = "it ended"
    deadline = time.monotonic() + _START_SECONDS
    while keeper.poll() is None and time.monotonic() < deadline:
        try:
            pymysql.connect(
                host="127.0.0.1",
                port=port,
                user="tester",
                password=password,
                connect_timeout=2,
                ssl_disabled=True,
            ).close()
        except pymysql.Error as error:
            failure = str(error)
            time.sleep(0.05)
        else:
            return
    log.seek(0)
    raise ServerFailed(f"{log.read().decode(errors='replace')[-2000:]}\n{failure}")
