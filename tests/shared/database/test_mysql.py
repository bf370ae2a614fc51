"""MySQL: deadlocks, killed connections and session settings."""

import secrets
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from shared.database import transactions
from shared.database.connection import Connection, Contention
from shared.database.transactions import read, transaction
from shared.errors import DatabaseUnavailable
from tests.conftest import Configure
from tests.events import Reply
from tests.patience import HANG_SECONDS
from tests.people import log_in, register
from tests.shared.database.conftest import Ask


def connection_id() -> int:
    def ask(connection: Connection) -> int:
        found = connection.find(lambda id: int(id), "SELECT CONNECTION_ID() AS id")
        assert found is not None
        return found

    return read(ask)


def test_two_transactions_in_a_deadlock_both_succeed(server: Ask) -> None:
    register(email="a@example.com")
    register(email="b@example.com")
    both_hold_one = threading.Barrier(2)
    attempts: list[str] = []

    def rename(connection: Connection, first: str, second: str) -> None:
        attempts.append(first)
        for number, email in enumerate([first, second]):
            connection.execute(
                "UPDATE users SET username = CONCAT(:first, :number) WHERE email = :email",
                first=first[0],
                number=number,
                email=email,
            )
            if number == 0 and len(attempts) <= 2:
                both_hold_one.wait(HANG_SECONDS)

    with ThreadPoolExecutor(2) as pool:
        jobs = [
            pool.submit(transaction, rename, "a@example.com", "b@example.com"),
            pool.submit(transaction, rename, "b@example.com", "a@example.com"),
        ]
        for job in jobs:
            job.result()

    assert len(attempts) == 3


@pytest.mark.usefixtures("server")
def test_a_transaction_is_tried_three_times_at_most() -> None:
    attempts = []

    def work(connection: Connection) -> None:
        attempts.append(connection)
        raise Contention

    with pytest.raises(DatabaseUnavailable):
        transaction(work)

    assert len(attempts) == 3


@pytest.mark.parametrize(("request_", "status"), [(register, 409), (log_in, 200)])
def test_a_connection_killed_between_requests_goes_unnoticed(
    server: Ask, request_: Callable[[], Reply], status: int
) -> None:
    register()
    killed = connection_id()
    server("KILL %s", killed)

    assert request_().status == status
    assert connection_id() != killed


def test_a_connection_killed_in_mid_transaction_leaves_nothing_behind(server: Ask) -> None:
    def work(connection: Connection) -> None:
        own = connection.find(lambda id: id, "SELECT CONNECTION_ID() AS id")
        connection.execute(
            "INSERT INTO users (id, role, created_at_ms) VALUES (:id, 'user', 1)",
            id=secrets.token_hex(13),
        )
        server("KILL %s", own)
        connection.execute("UPDATE users SET created_at_ms = 2")

    with pytest.raises(DatabaseUnavailable):
        transaction(work)

    assert server("SELECT COUNT(*) FROM users") == 0
    assert register().status == 201


def test_a_connection_killed_in_mid_stream_is_reported(server: Ask) -> None:
    many = "SELECT seq, REPEAT('x', 1000) FROM seq_1_to_100000"

    def work(connection: Connection) -> None:
        own = connection.find(lambda id: id, "SELECT CONNECTION_ID() AS id")
        rows = connection.stream(many)
        next(rows)
        server("KILL %s", own)
        for _ in rows:
            pass

    with pytest.raises(DatabaseUnavailable):
        transaction(work)

    assert register().status == 201


def test_an_old_idle_connection_is_replaced_before_it_is_used(server: Ask) -> None:
    before = connection_id()
    read(lambda connection: vars(connection).update(used_at=time.time() - 31))

    assert connection_id() != before


@pytest.mark.usefixtures("server")
@pytest.mark.parametrize(
    ("mode", "status"),
    [("disabled", 401), ("preferred", 401), ("required", 503), ("verify_identity", 503)],
)
def test_a_server_without_tls_is_refused_where_tls_is_required(
    configure: Configure, mariadb_database: str, mode: str, status: int
) -> None:
    configure(DATABASE_URL=f"{mariadb_database}?ssl-mode={mode}")

    assert log_in().status == status


@pytest.mark.usefixtures("server")
def test_the_session_is_strict_and_in_utc() -> None:
    mode, zone, wait = read(
        lambda connection: connection.find(
            lambda **row: tuple(row.values()),
            "SELECT @@sql_mode AS mode, @@time_zone AS zone, @@innodb_lock_wait_timeout AS wait",
        )
    ) or ("", "", 0)

    assert set(mode.split(",")) == {
        "STRICT_ALL_TABLES",
        "ONLY_FULL_GROUP_BY",
        "NO_ENGINE_SUBSTITUTION",
    }
    assert (zone, wait) == ("+00:00", 3)


@pytest.fixture
def read_committed(server: Ask) -> Iterator[None]:
    """The default isolation of some managed servers."""
    server("SET GLOBAL TRANSACTION ISOLATION LEVEL READ COMMITTED")
    transactions.disconnect()
    yield
    server("SET GLOBAL TRANSACTION ISOLATION LEVEL REPEATABLE READ")


@pytest.mark.usefixtures("read_committed")
def test_a_transaction_reads_one_state_whatever_the_default_of_the_server() -> None:
    def count(connection: Connection) -> int | None:
        return connection.find(lambda users: int(users), "SELECT COUNT(*) AS users FROM users")

    def count_twice(connection: Connection) -> tuple[int | None, int | None]:
        before = count(connection)
        with ThreadPoolExecutor(1) as pool:
            pool.submit(register, email="a@example.com").result()
        return before, count(connection)

    assert transaction(count_twice) == (0, 0)
    assert read(count) == 1
