"""Guarantees of shared.database.transactions on both SQLite and MariaDB."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from functions.health.index import handler as health
from shared.database import transactions
from shared.database.connection import Connection, DuplicateKey
from shared.database.transactions import read, transaction
from shared.errors import DatabaseNotConfigured, DatabaseUnavailable
from tests.conftest import Configure
from tests.events import invoke
from tests.patience import HANG_SECONDS, promised
from tests.people import register


@dataclass(frozen=True)
class Product:
    id: int
    name: str | None


@pytest.fixture
def products(database: str) -> Iterator[str]:
    """A table of these tests, beside those of the product."""
    transaction(
        lambda connection: connection.execute(
            """
            CREATE TABLE products (
                id    INTEGER NOT NULL,
                name  VARCHAR(60),
                shelf INTEGER,
                slot  INTEGER,
                CONSTRAINT pk_products PRIMARY KEY (id),
                CONSTRAINT uq_products_name UNIQUE (name),
                CONSTRAINT uq_products_shelf_slot UNIQUE (shelf, slot)
            ) /*! DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin */
            """
        )
    )
    yield database
    transaction(lambda connection: connection.execute("DROP TABLE products"))


def add(connection: Connection, id_: int, name: str | None = None) -> int:
    return connection.execute(
        "INSERT INTO products (id, name) VALUES (:id, :name)", id=id_, name=name
    )


def stored() -> list[Product]:
    return read(
        lambda connection: connection.find_all(Product, "SELECT id, name FROM products ORDER BY id")
    )


@pytest.mark.usefixtures("products")
def test_a_transaction_keeps_what_its_work_did_and_returns_what_it_returned() -> None:
    assert transaction(add, 1, "阿司匹林 💊") == 1
    assert stored() == [Product(1, "阿司匹林 💊")]


@pytest.mark.usefixtures("products")
@pytest.mark.parametrize("failure", [ValueError, KeyboardInterrupt, DatabaseUnavailable])
def test_a_transaction_whose_work_fails_leaves_nothing(failure: type[BaseException]) -> None:
    def work(connection: Connection) -> None:
        add(connection, 1)
        add(connection, 2)
        raise failure

    with pytest.raises(failure):
        transaction(work)

    assert stored() == []


@pytest.mark.usefixtures("products")
def test_nothing_is_seen_of_a_transaction_before_it_ends() -> None:
    def work(connection: Connection) -> list[Product]:
        add(connection, 1)
        with ThreadPoolExecutor(1) as other:
            return other.submit(stored).result()

    assert transaction(work) == []
    assert stored() == [Product(1, None)]


@pytest.mark.usefixtures("products")
def test_a_statement_that_fails_and_is_caught_does_not_undo_the_others() -> None:
    def work(connection: Connection) -> None:
        add(connection, 1, "aspirin")
        with pytest.raises(DuplicateKey):
            add(connection, 2, "aspirin")
        add(connection, 3, "ibuprofen")

    transaction(work)

    assert stored() == [Product(1, "aspirin"), Product(3, "ibuprofen")]


@pytest.mark.usefixtures("products")
@pytest.mark.parametrize(
    ("sql", "constraint"),
    [
        ("UPDATE products SET name = 'a' WHERE id = 2", "uq_products_name"),
        ("UPDATE products SET shelf = 1, slot = 1 WHERE id = 2", "uq_products_shelf_slot"),
        ("INSERT INTO products (id, name) VALUES (3, 'a')", "uq_products_name"),
    ],
)
def test_a_duplicate_names_its_constraint(sql: str, constraint: str) -> None:
    def fill(connection: Connection) -> None:
        connection.execute("INSERT INTO products (id, name, shelf, slot) VALUES (1, 'a', 1, 1)")
        connection.execute("INSERT INTO products (id, name, shelf, slot) VALUES (2, 'b', 1, 2)")

    transaction(fill)

    with pytest.raises(DuplicateKey) as duplicate:
        transaction(lambda connection: connection.execute(sql))

    assert duplicate.value.constraint == constraint


@pytest.mark.usefixtures("products")
@pytest.mark.parametrize(
    "name", ["it's", "a' for key 'uq_products_shelf_slot", "100% :name ?", "a\nb"]
)
def test_a_value_is_data_whatever_it_looks_like(name: str) -> None:
    transaction(add, 1, name)

    with pytest.raises(DuplicateKey) as duplicate:
        transaction(add, 2, name)

    assert (stored(), duplicate.value.constraint) == ([Product(1, name)], "uq_products_name")


@pytest.mark.usefixtures("products")
def test_texts_differ_by_case_accent_and_width() -> None:
    for number, name in enumerate(["a", "A", "á", "ａ"]):
        transaction(add, number, name)

    assert [drug.name for drug in stored()] == ["a", "A", "á", "ａ"]


@pytest.mark.usefixtures("products")
def test_an_update_counts_the_rows_it_matched_even_if_nothing_changed() -> None:
    transaction(add, 1, "aspirin")
    same = "UPDATE products SET name = 'aspirin' WHERE id = :id"

    assert transaction(lambda connection: connection.execute(same, id=1)) == 1
    assert transaction(lambda connection: connection.execute(same, id=2)) == 0


@pytest.mark.usefixtures("products")
def test_find_returns_the_first_row_or_none() -> None:
    transaction(add, 1, "aspirin")
    sql = "SELECT id, name FROM products WHERE id = :id"

    assert read(lambda connection: connection.find(Product, sql, id=1)) == Product(1, "aspirin")
    assert read(lambda connection: connection.find(Product, sql, id=2)) is None
    assert read(lambda connection: connection.exists(sql, id=1)) is True
    assert read(lambda connection: connection.exists(sql, id=2)) is False


@pytest.mark.usefixtures("products")
def test_writers_that_read_first_lose_no_update_to_each_other() -> None:
    def count(connection: Connection) -> int:
        assert connection.exists("SELECT id FROM products WHERE id = 1")
        return connection.execute("UPDATE products SET shelf = shelf + 1 WHERE id = 1")

    transaction(
        lambda connection: connection.execute("INSERT INTO products (id, shelf) VALUES (1, 0)")
    )

    with ThreadPoolExecutor(8) as writers:
        jobs = [writers.submit(transaction, count) for _ in range(200)]

    assert [job.result() for job in jobs] == [1] * 200
    assert read(lambda connection: connection.exists("SELECT 1 FROM products WHERE shelf = 200"))


@pytest.mark.usefixtures("products")
@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_on_sqlite_a_second_writer_waits_in_line_instead_of_starting_over() -> None:
    transaction(add, 1)
    runs: list[Connection] = []
    one_has_read, both_have_read = threading.Event(), threading.Event()

    def write(connection: Connection) -> None:
        assert connection.exists("SELECT id FROM products")
        if runs:
            both_have_read.set()
        runs.append(connection)
        one_has_read.set()
        both_have_read.wait(0.3)  # time for the other to come in between, if it can
        connection.execute("UPDATE products SET shelf = 1")

    with ThreadPoolExecutor(2) as writers:
        jobs = [writers.submit(transaction, write)]
        one_has_read.wait(HANG_SECONDS)
        jobs.append(writers.submit(transaction, write))

    assert [job.result() for job in jobs] == [None, None]
    assert len(runs) == 2


@pytest.mark.usefixtures("products")
@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_on_sqlite_a_line_that_moves_is_waited_in_for_longer_than_a_stuck_lock() -> None:
    """Six turns of a second each: the last writer waits longer than a statement may take."""
    transaction(add, 1)

    def write(connection: Connection) -> None:
        threading.Event().wait(1)  # others are waiting meanwhile
        connection.execute("UPDATE products SET shelf = COALESCE(shelf, 0) + 1")
        raise LookupError("nothing is committed, and it was a turn all the same")

    with ThreadPoolExecutor(6) as writers:
        jobs = [writers.submit(transaction, write) for _ in range(6)]

    assert [type(job.exception()) for job in jobs] == [LookupError] * 6


@pytest.mark.usefixtures("products")
def test_a_stream_brings_every_row_and_one_left_early_spoils_nothing() -> None:
    def fill(connection: Connection) -> None:
        for number in range(1200):
            add(connection, number)

    def first(connection: Connection) -> tuple[object, ...]:
        rows = connection.stream("SELECT id FROM products ORDER BY id")
        try:
            return next(rows)
        finally:
            rows.close()  # type: ignore[attr-defined]  # it is a generator

    transaction(fill)

    assert read(first) == (0,)
    assert read(
        lambda connection: list(connection.stream("SELECT id FROM products ORDER BY id"))
    ) == [(number,) for number in range(1200)]


@pytest.mark.usefixtures("products")
def test_one_connection_serves_one_thread_after_another_request() -> None:
    seen = [read(lambda connection: connection) for _ in range(3)]

    assert seen[0] is seen[1] is seen[2]


def holding_a_lock(work: Callable[[], None]) -> None:
    """Do `work` while another thread's transaction has written to drug 1."""
    locked, finished = threading.Event(), threading.Event()

    def hold(connection: Connection) -> None:
        connection.execute("UPDATE products SET shelf = 9 WHERE id = 1")
        locked.set()
        finished.wait(HANG_SECONDS)

    with ThreadPoolExecutor(1) as other:
        job = other.submit(transaction, hold)
        assert locked.wait(HANG_SECONDS)
        try:
            work()
        finally:
            finished.set()
        job.result()


@pytest.mark.usefixtures("products")
def test_a_lock_that_is_not_given_up_is_reported_within_5_s() -> None:
    transaction(add, 1)

    def wait_for_it() -> None:
        started = time.monotonic()
        with pytest.raises(DatabaseUnavailable):
            transaction(
                lambda connection: connection.execute("UPDATE products SET shelf = 1 WHERE id = 1")
            )
        assert time.monotonic() - started < promised(5)

    holding_a_lock(wait_for_it)


@pytest.mark.usefixtures("configure")
def test_without_a_database_there_is_nothing_to_speak_to() -> None:
    assert transactions.is_configured() is False
    for call in (transaction, read):
        with pytest.raises(DatabaseNotConfigured):
            call(lambda connection: None)


def test_an_sqlite_file_that_cannot_be_made_is_a_database_that_is_down(
    configure: Configure, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")
    configure(DATABASE_URL=f"sqlite:///{tmp_path}/file/app.db")

    down = invoke(health, "GET", "/api/health")
    refused = register()

    assert (down.status, down.data["database"]) == (503, "down")
    assert (refused.status, refused.error) == (503, "database_unavailable")
