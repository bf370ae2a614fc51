"""Maintenance beside other connections: another run at the same time, and locked rows."""

import json
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from multiprocessing import get_context

import pytest

from functions.maintenance import retention
from functions.maintenance.chores import Counts, run_all
from functions.maintenance.index import handler
from shared.database import transactions
from shared.database.connection import Connection
from shared.database.transactions import read, transaction
from shared.ids import new_id
from shared.repos import idempotency, timers
from shared.repos.answer_chunks import AnswerChunk
from shared.repos.idempotency import IdempotencyKey
from shared.times import now_ms
from shared.web.timers import TimerFailed
from tests.events import Context
from tests.functions.wallets import PER_MESSAGE, abandoned, state_of
from tests.patience import HANG_SECONDS
from tests.people import customer
from tests.web import eventually

DAY_MS = 24 * 3600 * 1000
ANOTHER = {"skipped": "another run is at work"}
PIECE = AnswerChunk("text", "Because.")

on_mariadb = pytest.mark.parametrize("database", ["mariadb"], indirect=True)


def run() -> dict[str, object]:
    return handler(b"{}", Context())


def run_in_a_process() -> dict[str, object]:
    try:
        return run()
    finally:
        transactions.disconnect()


@pytest.mark.usefixtures("database")
def test_a_run_that_finds_another_at_work_leaves() -> None:
    expired_key()
    with get_context("spawn").Pool(1) as pool:
        with transactions.exclusive("maintenance") as is_alone:
            assert is_alone
            assert pool.apply(run_in_a_process) == ANOTHER
        assert pool.apply(run_in_a_process)["keys"] == 1
    assert run()["keys"] == 0


@on_mariadb
@pytest.mark.usefixtures("database")
def test_of_two_processes_at_once_one_does_all_the_work() -> None:
    subject = expired_key()
    with get_context("spawn").Pool(1) as one, get_context("spawn").Pool(1) as other:
        with key_locked(subject):
            assert other.apply(now_ms) > 0  # it is up
            first = one.apply_async(run_in_a_process)
            eventually(lambda: read(is_lock_used))
            assert other.apply(run_in_a_process) == ANOTHER
        assert first.get(HANG_SECONDS)["keys"] == 1


@on_mariadb
@pytest.mark.usefixtures("database")
def test_a_chore_that_meets_contention_does_not_keep_the_others_from_running(
    capsys: pytest.CaptureFixture[str],
) -> None:
    subject, turn = expired_key(), abandoned(customer(1000), PIECE, price=PER_MESSAGE)
    transaction(add_window_that_is_over)

    with key_locked(subject), pytest.raises(TimerFailed, match=r"^contention$"):
        run()

    assert state_of(turn) == "settled"
    *tries, last = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(one["chore"], one["error"]) for one in tries] == [("keys", "contention")] * 2
    assert (last["level"], last["event"], last["error"]) == ("error", "timer", "contention")
    done = {"settled": 1, "keys": 0, "limits": 1, "failures": {"keys": "contention"}}
    assert {name: last["context"][name] for name in done} == done
    recorded = read(timers.find, "maintenance")
    assert recorded is not None
    assert (recorded.outcome, json.loads(recorded.summary)) == ("contention", last["context"])
    assert run()["keys"] == 1


@on_mariadb
@pytest.mark.usefixtures("database")
def test_a_chore_that_met_contention_is_tried_again_after_the_others() -> None:
    counts, lock = Counts(), key_locked(expired_key())
    lock.__enter__()

    chores = {"keys": retention.remove_keys, "other": lambda *_: end(lock)}
    assert run_all(chores, float("inf"), counts) == {}
    assert counts.keys == 1


@on_mariadb
@pytest.mark.usefixtures("database")
def test_a_turn_whose_wallet_is_locked_does_not_keep_the_others_open() -> None:
    anna, ben = customer(1000), customer(1000)
    held = abandoned(anna, PIECE, price=PER_MESSAGE, lease_until_ms=1)
    free = abandoned(ben, PIECE, price=PER_MESSAGE)

    wallet = "UPDATE wallets SET entries = entries WHERE user_id = :id"
    with locked(wallet, anna), pytest.raises(TimerFailed, match=r"^contention$"):
        run()

    assert [state_of(held), state_of(free)] == ["open", "settled"]
    assert run()["settled"] == 1


def expired_key() -> str:
    subject = customer()
    key = IdempotencyKey(subject, "k", "hash", new_id(), now_ms() - 2 * DAY_MS)
    transaction(idempotency.claim, key)
    return subject


def add_window_that_is_over(db: Connection) -> None:
    db.execute(
        "INSERT INTO rate_limits (name, subject, started_ms, ends_ms, used) "
        "VALUES ('login', 'somebody', 0, 1, 1)"
    )


def is_lock_used(db: Connection) -> bool:
    return db.exists(
        "SELECT 1 FROM DUAL WHERE IS_USED_LOCK(CONCAT('maintenance.', MD5(DATABASE()))) IS NOT NULL"
    )


def key_locked(subject: str) -> AbstractContextManager[None]:
    return locked(
        "UPDATE idempotency_keys SET request_hash = request_hash WHERE subject = :id", subject
    )


@contextmanager
def locked(update: str, subject: str) -> Iterator[None]:
    """Hold the lock of a row on another connection."""
    other = transactions.connect(HANG_SECONDS, HANG_SECONDS)
    try:
        other.begin()
        assert other.execute(update, id=subject) == 1
        yield
    finally:
        other.rollback()
        other.close()


def end(lock: AbstractContextManager[None]) -> None:
    lock.__exit__(None, None, None)
