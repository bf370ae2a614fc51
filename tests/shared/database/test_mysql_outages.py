"""Outages of a database server: it stops, hangs or refuses connections."""

import json
import secrets
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit

import pytest

from functions.health.index import handler as health
from shared.database.connection import Connection
from shared.database.transactions import transaction
from shared.errors import DatabaseUnavailable
from tests.conftest import Configure
from tests.events import invoke
from tests.fakes.proxy import Proxy
from tests.patience import HANG_SECONDS, promised
from tests.people import log_in, register
from tests.shared.database.conftest import Ask


class Stopwatch:
    def __init__(self) -> None:
        self._started = time.monotonic()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._started


def check_health() -> tuple[int, str]:
    reply = invoke(health, "GET", "/api/health")
    return reply.status, reply.data["database"]


def becomes(expected: object, look: Callable[[], object]) -> bool:
    watch = Stopwatch()
    while (seen := look()) != expected and watch.seconds < HANG_SECONDS:
        time.sleep(0.02)
    return seen == expected


def test_a_server_that_stopped_is_unavailable_within_5_s_and_back_when_it_is(proxy: Proxy) -> None:
    assert (register().status, log_in().status, check_health()) == (201, 200, (200, "connected"))
    proxy.refuse()

    watch = Stopwatch()
    refused = [log_in(), register(email="other@example.com")]

    assert [(one.status, one.error) for one in refused] == [(503, "database_unavailable")] * 2
    assert [one.headers["Retry-After"] for one in refused] == ["3", "3"]
    assert check_health() == (503, "down")
    assert watch.seconds < promised(5)
    proxy.resume()
    assert becomes(200, lambda: log_in().status)
    assert check_health() == (200, "connected")


def test_connections_that_were_cut_are_made_again_unnoticed(proxy: Proxy) -> None:
    assert register().status == 201
    proxy.cut()

    assert log_in().status == 200
    assert proxy.accepted == 2


@pytest.mark.parametrize("connected_before", [True, False])
def test_a_black_hole_is_reported_by_health_within_2_s_and_by_login_within_5(
    proxy: Proxy, connected_before: bool
) -> None:
    if connected_before:
        assert register().status == 201
    proxy.stall()

    watch = Stopwatch()
    assert check_health() == (503, "down")
    assert watch.seconds < promised(2)

    watch = Stopwatch()
    reply = log_in()
    assert (reply.status, reply.error) == (503, "database_unavailable")
    assert watch.seconds < promised(5)

    proxy.resume()
    assert becomes(200 if connected_before else 401, lambda: log_in().status)


def test_a_black_hole_in_mid_transaction_leaves_nothing_behind(proxy: Proxy, server: Ask) -> None:
    def work(connection: Connection) -> None:
        connection.execute(
            "INSERT INTO users (id, role, created_at_ms) VALUES (:id, 'user', 1)",
            id=secrets.token_hex(13),
        )
        proxy.stall()
        connection.execute("UPDATE users SET created_at_ms = 2")

    watch = Stopwatch()
    with pytest.raises(DatabaseUnavailable):
        transaction(work)

    assert watch.seconds < promised(5)
    proxy.cut()
    proxy.resume()
    assert server("SELECT COUNT(*) FROM users") == 0
    assert register().status == 201


@pytest.fixture
def plain_user(server: Ask, mariadb_database: str, configure: Configure) -> Iterator[str]:
    """A DATABASE_URL of a user without administrator rights."""
    parts, name = urlsplit(mariadb_database), f"plain_{secrets.token_hex(4)}"
    server(f"CREATE USER {name}@'127.0.0.1' IDENTIFIED BY 'plain'")
    server(f"GRANT ALL ON `{parts.path.strip('/')}`.* TO {name}@'127.0.0.1'")
    configure(DATABASE_URL=f"mysql://{name}:plain@127.0.0.1:{parts.port}{parts.path}")
    yield name
    server(f"DROP USER {name}@'127.0.0.1'")


@pytest.mark.usefixtures("plain_user")
def test_a_server_that_is_read_only_is_unavailable_for_writers_alone(server: Ask) -> None:
    assert register().status == 201
    server("SET GLOBAL read_only = 1")
    try:
        refused = [log_in(), register(email="other@example.com")]
        seen = check_health()
    finally:
        server("SET GLOBAL read_only = 0")

    assert [(one.status, one.error) for one in refused] == [(503, "database_unavailable")] * 2
    assert seen == (200, "connected")
    assert log_in().status == 200


def test_a_server_with_no_connection_left_is_unavailable(server: Ask, plain_user: str) -> None:
    server(f"ALTER USER {plain_user}@'127.0.0.1' WITH MAX_USER_CONNECTIONS 1")
    assert register().status == 201

    assert check_health() == (503, "down")
    assert log_in().status == 200


@contextmanager
def turning_away(code: int) -> Iterator[str]:
    """A server that answers every connection with an error (MySQL protocol, "ERR_Packet")."""
    error = b"\xff" + struct.pack("<H", code) + b"Not you"
    packet = struct.pack("<I", len(error)) + error  # three bytes of length, number 0

    def turn_away(listener: socket.socket) -> None:
        with suppress(OSError):  # the listener was shut
            while True:
                listener.accept()[0].sendall(packet)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=turn_away, args=(listener,), daemon=True).start()
        yield f"mysql://me:secret@127.0.0.1:{listener.getsockname()[1]}/shop"
        listener.shutdown(socket.SHUT_RDWR)


# Also an expired password, TLS that is required, a method that is not supported, and one unknown.
@pytest.mark.parametrize("code", [1040, 1129, 1130, 1203, 1226, 1820, 3159, 1251, 4999])
def test_a_server_that_turns_everybody_away_is_unavailable_and_every_log_has_its_code(
    configure: Configure, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    with turning_away(code) as url:
        configure(DATABASE_URL=url)
        reply, seen = log_in(), check_health()

    assert (reply.status, reply.error) == (503, "database_unavailable")
    assert seen == (503, "down")
    assert logged_codes(capsys) == [str(code)] * 2


def logged_codes(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """The codes of the requests in the log, which shows no password."""
    said = capsys.readouterr().out
    assert "secret" not in said
    return [json.loads(line)["context"]["code"] for line in said.splitlines() if "context" in line]


@contextmanager
def wanting(method: bytes) -> Iterator[str]:
    """A server without TLS whose user needs this method (MySQL protocol, "Protocol::Handshake")."""
    greeting = b"\x0a8.0.36\0" + bytes(4) + b"saltsalt\0" + b"\xff\xf7\x2d\x02\0\xff\xdf\x15"
    greeting += bytes(10) + b"saltsaltsalt\0" + method + b"\0"

    def greet(listener: socket.socket) -> None:
        with suppress(OSError):  # the listener was shut
            while True:
                talk(listener.accept()[0])

    def talk(client: socket.socket) -> None:
        whole_password = struct.pack("<I", 2 | 2 << 24) + b"\x01\x04"
        public_key = struct.pack("<I", 4 | 4 << 24) + b"\x01key"
        with client, suppress(OSError):  # the client has left
            for said in (struct.pack("<I", len(greeting)) + greeting, whole_password, public_key):
                client.sendall(said)
                client.recv(4096)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=greet, args=(listener,), daemon=True).start()
        yield f"mysql://me:secret@127.0.0.1:{listener.getsockname()[1]}/shop?ssl-mode=disabled"
        listener.shutdown(socket.SHUT_RDWR)


def test_a_password_that_the_driver_can_only_send_over_tls_is_named(
    configure: Configure, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pymysql._auth._have_cryptography", False)  # as in our packages
    with wanting(b"caching_sha2_password") as url:
        configure(DATABASE_URL=url)
        assert (log_in().status, check_health()) == (503, (503, "down"))

    codes = logged_codes(capsys)
    assert len(codes) == 2
    assert all(one.startswith("RuntimeError: without the package cryptography") for one in codes)


@pytest.mark.parametrize(("mode", "code"), [("required", "2026"), ("verify_identity", "2026")])
def test_a_server_without_the_tls_that_is_required_is_named_by_its_code(
    configure: Configure, capsys: pytest.CaptureFixture[str], mode: str, code: str
) -> None:
    with wanting(b"mysql_native_password") as url:
        configure(DATABASE_URL=url.replace("ssl-mode=disabled", f"ssl-mode={mode}"))
        assert (log_in().status, check_health()) == (503, (503, "down"))

    assert logged_codes(capsys) == [code] * 2


@pytest.mark.usefixtures("server")
@pytest.mark.parametrize(
    ("pattern", "change", "code"),
    [
        ("tester:", "nobody:", "1045"),
        ("/test_", "/missing_", "1049"),
    ],
)
def test_wrong_credentials_for_the_database_are_no_defect_of_ours(
    configure: Configure,
    mariadb_database: str,
    capsys: pytest.CaptureFixture[str],
    pattern: str,
    change: str,
    code: str,
) -> None:
    configure(DATABASE_URL=mariadb_database.replace(pattern, change))

    reply = log_in()

    assert (reply.status, reply.error) == (503, "database_unavailable")
    assert check_health() == (503, "down")
    assert logged_codes(capsys) == [code] * 2
