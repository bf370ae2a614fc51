"""Deferred statements: they run in order, and travel with the next one."""

from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import pytest

from scripts.tooling.bench.wire import Wire, recorded, shortened, statements
from shared.database.connection import Connection, DuplicateKey
from shared.database.deferred import Deferred
from shared.database.transactions import autocommit, read, transaction
from shared.errors import DatabaseUnavailable
from tests.conftest import Configure
from tests.fakes.proxy import Proxy
from tests.shared.database.conftest import Ask

ADD = "INSERT INTO notes (id, text) VALUES (:id, :text)"
RENAME = "UPDATE notes SET text = :text WHERE id = :id"
ALL = "SELECT id, text FROM notes ORDER BY id"

Run = Callable[..., object]
HOSTILE = [
    "'); DELETE FROM notes; -- ",
    "\\",
    "\\'; DROP TABLE notes; -- ",
    "';';",
    "a;b",
    "/* ; */ %(id)s :id %s %",
    '\x00\n\r\x1a"`',
]


@pytest.fixture
def notes(database: str) -> Iterator[str]:
    """A table of these tests, with a note 1."""

    def create(db: Connection) -> None:
        db.execute(
            """
            CREATE TABLE notes (
                id   INTEGER NOT NULL,
                text TEXT    NOT NULL,
                CONSTRAINT pk_notes PRIMARY KEY (id)
            ) /*! DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin */
            """
        )
        db.execute(ADD, id=1, text="one")

    transaction(create)
    yield database
    transaction(lambda db: db.execute("DROP TABLE notes"))


def stored() -> dict[int, str]:
    return dict(read(lambda db: db.find_all(lambda id, text: (int(id), str(text)), ALL)))


@pytest.mark.usefixtures("notes")
def test_statements_run_in_order_and_each_has_its_result() -> None:
    def work(db: Connection) -> tuple[list[int], list[dict[str, object]], bool]:
        added = db.defer(ADD, id=2, text="two")
        before = db.defer("SELECT text FROM notes WHERE id = :id", id=2)
        renamed, missed = db.defer(RENAME, id=2, text="due"), db.defer(RENAME, id=9, text="x")
        last = db.execute("UPDATE notes SET text = text")
        matched = [added.matched, renamed.matched, missed.matched, last]
        return matched, before.rows(dict), bool(missed)

    assert transaction(work) == ([1, 1, 0, 2], [{"text": "two"}], False)
    assert stored() == {1: "one", 2: "due"}


@pytest.mark.usefixtures("notes")
@pytest.mark.parametrize("run", [transaction, read, autocommit])
def test_what_is_deferred_last_is_done_as_well(run: Run) -> None:
    run(lambda db: db.defer(ADD, id=2, text="two"))

    assert stored() == {1: "one", 2: "two"}


@pytest.mark.usefixtures("notes")
@pytest.mark.parametrize("database", ["mariadb"], indirect=True)
@pytest.mark.parametrize("run", [transaction, read, autocommit])
def test_nothing_of_a_failed_work_runs_later(run: Run) -> None:
    def work(db: Connection) -> None:
        db.execute("SELECT 1")
        db.defer(ADD, id=2, text="two")
        raise LookupError

    with pytest.raises(LookupError):
        run(work)
    assert stored() == {1: "one"}


@pytest.mark.usefixtures("notes")
def test_a_transaction_whose_deferred_statement_fails_leaves_nothing() -> None:
    """The failure ends the round trip, so that the COMMIT in it does not run."""

    def work(db: Connection) -> None:
        db.execute(RENAME, id=1, text="uno")
        db.defer(ADD, id=2, text="two")
        db.defer(ADD, id=2, text="again")
        db.defer(ADD, id=3, text="three")

    with pytest.raises(DuplicateKey):
        transaction(work)
    assert stored() == {1: "one"}


@pytest.mark.usefixtures("notes")
def test_a_failure_that_is_caught_leaves_the_transaction_open() -> None:
    def work(db: Connection) -> None:
        try:
            db.defer(ADD, id=1, text="again")
            db.send()
        except DuplicateKey:
            db.execute(RENAME, id=1, text="uno")

    transaction(work)
    assert stored() == {1: "uno"}


@pytest.mark.usefixtures("notes")
def test_a_text_is_data_whatever_it_looks_like() -> None:
    def work(db: Connection) -> list[Deferred]:
        return [db.defer(ADD, id=id, text=text) for id, text in enumerate(HOSTILE, start=2)]

    assert [one.matched for one in transaction(work)] == [1] * len(HOSTILE)
    assert stored() == {1: "one", **dict(enumerate(HOSTILE, start=2))}


@pytest.fixture
def wire(mariadb_database: str, configure: Configure) -> Iterator[Wire]:
    parts = urlsplit(mariadb_database)
    with recorded(parts.hostname or "", parts.port or 0) as wire:
        url = mariadb_database.replace(f":{parts.port}/", f":{wire.port}/")
        configure(DATABASE_URL=f"{url}?ssl-mode=disabled")
        read(lambda db: db.execute("SELECT 0"))  # connects
        wire.trips.clear()
        yield wire


def sent(wire: Wire) -> list[list[str]]:
    return [[shortened(one) for one in statements(trip)] for trip in wire.trips]


def test_a_transaction_takes_two_round_trips_or_none(wire: Wire) -> None:
    """Its first one never holds the COMMIT: see LostAtBegin."""
    transaction(lambda db: None)
    transaction(lambda db: db.defer("SELECT 1"))
    transaction(lambda db: db.execute("SELECT 2"))

    assert sent(wire) == [
        ["START TRANSACTION", "SELECT 1"],
        ["COMMIT"],
        ["START TRANSACTION", "SELECT 2"],
        ["COMMIT"],
    ]


def test_very_long_statements_are_not_sent_together(wire: Wire) -> None:
    def work(db: Connection) -> None:
        for _ in range(4):
            db.defer("SELECT :text AS text", text="x" * 100_000)

    transaction(work)

    assert [len(trip) for trip in sent(wire)] == [4, 2]


@pytest.mark.usefixtures("server")
@pytest.mark.parametrize("lost", [b"INSERT INTO users", b"COMMIT"])
def test_a_lost_first_reply_is_unnoticed_and_a_lost_commit_is_reported(
    lost: bytes, proxy: Proxy, server: Ask
) -> None:
    user = "INSERT INTO users (id, role, created_at_ms) VALUES (:id, 'user', 1)"
    runs: list[Connection] = []

    def work(db: Connection) -> None:
        runs.append(db)
        db.defer(user, id=f"USER{len(runs)}")
        db.send()
        db.defer(user, id=f"OTHER{len(runs)}")

    read(lambda db: db.execute("SELECT 0"))
    proxy.lose_reply(lost, after=b"START TRANSACTION")
    if lost == b"COMMIT":
        with pytest.raises(DatabaseUnavailable):
            transaction(work)
        assert len(runs) == 1
    else:
        transaction(work)
        assert len(runs) == 2
        assert server("SELECT GROUP_CONCAT(id ORDER BY id) FROM users") == "OTHER2,USER2"
