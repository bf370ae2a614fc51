"""Charging: the ledger adds up after any sequence of operations."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from multiprocessing import get_context
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from functions.maintenance import sweep
from functions.maintenance.chores import Counts
from shared.answers.conclusion import conclude
from shared.answers.ending import Ending
from shared.database import transactions
from shared.database.connection import Connection
from shared.database.transactions import read, transaction
from shared.errors import DailyLimitReached, InsufficientBalance, TooManyStreams
from shared.ids import new_id
from shared.money import charging
from shared.money.charging import ReservationTerms
from shared.money.outcome import stored_outcome
from shared.pricing import Price, Tokens
from shared.repos import daily_messages, turns, wallets
from shared.repos.turns import Turn
from shared.times import now_ms, shanghai_day
from tests.functions.wallets import summed_up
from tests.ledger_checks import adds_up
from tests.patience import HANG_SECONDS
from tests.people import customer
from tests.receipts import evaluated

DAY = "2026-11-22"
PER_MESSAGE = Price("demo", 1, "message", message_fen=100)
PER_TOKEN = Price(
    "demo", 2, "token", input_ufen=80_000_000, cached_ufen=8_000_000, output_ufen=200_000_000
)


def a_turn(user_id: str, free: int = 0, day: str = DAY) -> Turn:
    """Begin a turn of a user with `free` free messages a day."""
    return Turn(
        message_id=new_id(),
        subject=user_id,
        user_id=user_id,
        conversation_id=None,
        question=None,
        model="demo",
        payment="free",
        day=day,
        daily_limit=free,
        reserved_fen=0,
        price="",
        prompt_tokens=100,
        lease_until_ms=0,
        created_at_ms=now_ms(),
    )


def terms(
    price: Price | None = PER_MESSAGE, most_open: int = 1000, *, expects_payment: bool = False
) -> ReservationTerms:
    return ReservationTerms(most_open, lambda: price, 1000, expects_payment)


WHATEVER_IS_EXPECTED = pytest.mark.parametrize("expects", [False, True])


def ending(text: str, tokens: Tokens | None = None) -> Ending:
    return Ending(text, "stop", tokens or Tokens(1, 1))


def charged(turn: Turn, tokens: Tokens) -> Any:
    """End a turn with an answer; return its charge."""
    outcome = transaction(conclude, turn, ending("an answer", tokens))
    assert outcome is not None
    return outcome["charge"]


@pytest.mark.usefixtures("database")
def test_a_charge_can_be_computed_again_from_its_receipt() -> None:
    user_id = customer(10_000, day=DAY)
    turn = transaction(charging.reserve, a_turn(user_id), terms(PER_TOKEN))
    charge = charged(turn, Tokens(1200, 340, cached=1000))
    receipt = charge["receipt"]
    assert summed_up(turn) == (1200, 1000, 340, 92)
    assert charge["kind"] == "balance"
    assert charge["amount_fen"] == evaluated(receipt) == 92
    assert read(adds_up, user_id).balance_fen == 10_000 - 92


@pytest.mark.usefixtures("database")
def test_the_formula_of_a_receipt_is_what_was_computed() -> None:
    user_id = customer(10_000, day=DAY)
    for price in (PER_MESSAGE, PER_TOKEN):
        turn = transaction(charging.reserve, a_turn(user_id), terms(price))
        charge = charged(turn, Tokens(1200, 340, cached=1000))
        assert charge["amount_fen"] == evaluated(charge["receipt"])


@WHATEVER_IS_EXPECTED
@pytest.mark.usefixtures("database")
def test_free_messages_come_first_then_the_balance_then_nothing(expects: bool) -> None:
    user_id = customer(250, day=DAY)

    def reserve(free: int, price: Price | None = PER_MESSAGE, most_open: int = 5) -> str:
        given = terms(price, most_open, expects_payment=expects)
        return transaction(charging.reserve, a_turn(user_id, free), given).payment

    assert [reserve(2) for _ in range(4)] == ["free", "free", "balance", "balance"]
    with pytest.raises(InsufficientBalance):
        reserve(2)
    with pytest.raises(DailyLimitReached):
        reserve(2, None)
    for free in (2, 9):
        with pytest.raises(TooManyStreams):
            reserve(free, most_open=4)
    assert read(adds_up, user_id) == wallets.Wallet(250, 200, 1, 4)


@WHATEVER_IS_EXPECTED
@pytest.mark.usefixtures("database")
def test_a_day_that_was_not_opened_must_be_prepared(expects: bool) -> None:
    user_id = customer(250, day="2026-11-21")
    with pytest.raises(charging.NotPrepared):
        transaction(charging.reserve, a_turn(user_id, 1), terms(expects_payment=expects))
    assert read(adds_up, user_id) == wallets.Wallet(250, 0, 1, 0)


@pytest.mark.usefixtures("database")
def test_at_midnight_in_shanghai_there_are_free_messages_again() -> None:
    midnight_ms = 1_795_363_200_000  # 2026-11-22T16:00:00Z
    user_id = customer(day=DAY)
    taken = dict[str, int]()
    for at_ms in (midnight_ms - 1, midnight_ms):
        day = shanghai_day(at_ms)
        transaction(charging.prepare, user_id, user_id, day)
        for _ in range(30):
            with suppress(InsufficientBalance):
                transaction(charging.reserve, a_turn(user_id, 20, day), terms())
                taken[day] = taken.get(day, 0) + 1
    assert taken == {"2026-11-22": 20, "2026-11-23": 20}


@pytest.mark.usefixtures("database")
def test_what_began_before_midnight_is_given_back_to_that_day() -> None:
    user_id, next_day = customer(day=DAY), "2026-11-23"
    transaction(charging.prepare, user_id, user_id, next_day)
    before = transaction(charging.reserve, a_turn(user_id, 20), terms())
    transaction(charging.reserve, a_turn(user_id, 20, next_day), terms())
    transaction(conclude, before, ending(""))
    used = [read(daily_messages.find_used, user_id, day) for day in (DAY, next_day)]
    assert used == [0, 1]


@pytest.mark.usefixtures("database")
def test_a_turn_ends_once_whoever_ends_it() -> None:
    user_id = customer(1000, day=DAY)
    turn = transaction(charging.reserve, a_turn(user_id), terms())
    first = transaction(conclude, turn, ending("an answer"))
    assert transaction(conclude, turn, ending("another answer")) is None
    assert transaction(conclude, turn, ending("")) is None
    ended = read(turns.get, turn.message_id)
    assert (ended.state, stored_outcome(ended)) == ("settled", first)
    assert read(adds_up, user_id) == wallets.Wallet(900, 0, 2, 0)


@pytest.mark.usefixtures("database")
def test_what_produced_no_text_costs_nothing() -> None:
    user_id = customer(1000, day=DAY)
    free = transaction(charging.reserve, a_turn(user_id, free=1), terms())
    paid = transaction(charging.reserve, a_turn(user_id, free=1), terms())
    for turn in (free, paid):
        outcome = transaction(conclude, turn, Ending("", "error", Tokens(9, 0), "x"))
        assert outcome is not None
        assert outcome["charge"] == {"kind": "none", "amount_fen": 0, "receipt": None}
    assert read(daily_messages.find_used, user_id, DAY) == 0
    assert read(adds_up, user_id) == wallets.Wallet(1000, 0, 1, 0)


@pytest.mark.usefixtures("database")
def test_what_the_upstream_claims_cannot_cost_more_than_was_reserved() -> None:
    user_id = customer(1000, day=DAY)
    turn = transaction(charging.reserve, a_turn(user_id), terms(PER_TOKEN))
    assert charged(turn, Tokens(2**31 - 1, 2**31 - 1))["amount_fen"] == turn.reserved_fen


@pytest.mark.usefixtures("database")
def test_the_same_key_moves_money_once() -> None:
    user_id = customer(day=DAY)
    first = transaction(wallets.book, user_id, "purchase", 500, key="order:1")
    again = transaction(wallets.book, user_id, "purchase", 500, key="order:1")
    assert first is not None
    assert again is None
    assert read(adds_up, user_id).balance_fen == 500


def elsewhere(work: Callable[[], object]) -> None:
    """Run the work on another connection, and wait until it has committed."""

    def run() -> None:
        try:
            work()
        finally:
            transactions.disconnect()

    with ThreadPoolExecutor(1) as pool:
        pool.submit(run).result(HANG_SECONDS)


# A transaction on SQLite locks the database when it begins, so its snapshot is never old.
ON_MARIADB = pytest.mark.parametrize("database", ["mariadb"], indirect=True)


@ON_MARIADB
@WHATEVER_IS_EXPECTED
@pytest.mark.usefixtures("database")
def test_the_reason_of_a_refusal_is_what_is_so_now(expects: bool) -> None:
    user_id = customer(10_000, day=DAY)

    def start_three() -> None:
        for _ in range(3):
            transaction(charging.reserve, a_turn(user_id), terms(most_open=3))

    def start_a_fourth(db: Connection) -> None:
        wallets.find(db, user_id)  # opens the snapshot
        elsewhere(start_three)
        charging.reserve(db, a_turn(user_id), terms(most_open=3, expects_payment=expects))

    with pytest.raises(TooManyStreams):
        transaction(start_a_fourth)
    assert read(adds_up, user_id) == wallets.Wallet(10_000, 300, 1, 3)


@ON_MARIADB
@WHATEVER_IS_EXPECTED
@pytest.mark.usefixtures("database")
def test_a_day_that_was_opened_meanwhile_is_open(expects: bool) -> None:
    user_id = customer(day="2026-11-21")

    def use_up_the_day() -> None:
        transaction(charging.prepare, user_id, user_id, DAY)
        transaction(charging.reserve, a_turn(user_id, free=1), terms())

    def reserve_late(db: Connection) -> None:
        wallets.find(db, user_id)  # opens the snapshot
        elsewhere(use_up_the_day)
        charging.reserve(db, a_turn(user_id, free=1), terms(expects_payment=expects))

    with pytest.raises(InsufficientBalance):
        transaction(reserve_late)


@ON_MARIADB
@pytest.mark.usefixtures("database")
def test_a_free_message_that_was_given_back_meanwhile_is_taken() -> None:
    """Payment was expected, and the snapshot shows that the free message is used."""
    user_id = customer(250, day=DAY)
    running = transaction(charging.reserve, a_turn(user_id, free=1), terms())

    def reserve_late(db: Connection) -> str:
        assert daily_messages.find_used(db, user_id, DAY) == 1  # opens the snapshot
        elsewhere(lambda: transaction(conclude, running, ending("")))
        given = terms(expects_payment=True)
        return charging.reserve(db, a_turn(user_id, free=1), given).payment

    assert transaction(reserve_late) == "free"
    assert read(adds_up, user_id) == wallets.Wallet(250, 0, 1, 1)


@ON_MARIADB
@pytest.mark.usefixtures("database")
def test_an_outcome_tells_the_quota_as_it_is_now() -> None:
    user_id = customer(1000, day=DAY)
    turn = transaction(charging.reserve, a_turn(user_id), terms())

    def conclude_late(db: Connection) -> dict[str, object] | None:
        wallets.find(db, user_id)  # opens the snapshot
        elsewhere(lambda: transaction(wallets.book, user_id, "purchase", 500, key="order:3"))
        return conclude(db, turn, ending("an answer"))

    outcome = transaction(conclude_late)
    assert outcome is not None
    assert outcome["quota"] == {
        "daily_limit": 0,
        "used_today": 0,
        "remaining": 0,
        "balance_fen": 1400,
    }
    assert read(adds_up, user_id) == wallets.Wallet(1400, 0, 3, 0)


@ON_MARIADB
@pytest.mark.usefixtures("database")
def test_a_key_that_was_booked_meanwhile_is_booked() -> None:
    user_id = customer(day=DAY)

    def book_late(db: Connection) -> object:
        wallets.find(db, user_id)  # opens the snapshot
        elsewhere(lambda: transaction(wallets.book, user_id, "purchase", 500, key="order:2"))
        return wallets.book(db, user_id, "purchase", 500, key="order:2")

    assert transaction(book_late) is None
    assert read(adds_up, user_id) == wallets.Wallet(500, 0, 1, 0)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["reserve", "answer", "fail", "sweep", "grant", "refund"]),
        st.integers(0, 5),
    ),
    max_size=25,
)


class Customer:
    """A customer with random operations; refusals must have a reason."""

    def __init__(self) -> None:
        self.id = customer(300, day=DAY)
        self.turns = list[Turn]()

    def take(self, step: str, which: int) -> None:
        with suppress(InsufficientBalance, TooManyStreams):
            if step == "reserve":
                price = (PER_MESSAGE, PER_TOKEN)[which % 2]
                turn = a_turn(self.id, free=1)
                self.turns.append(transaction(charging.reserve, turn, terms(price, most_open=3)))
            elif step in {"grant", "refund"}:
                transaction(wallets.book, self.id, step, 70, key=f"{step}:{self.id}:{which}")
            elif step == "sweep":
                sweep.run(time.monotonic() + HANG_SECONDS, Counts())
            elif self.turns:
                text = "an answer" if step == "answer" else ""
                turn = self.turns[which % len(self.turns)]
                transaction(conclude, turn, ending(text, Tokens(10 * which, 100 * which)))


@pytest.mark.usefixtures("database")
@settings(
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(STEPS)
def test_any_order_of_events_keeps_the_invariants(steps: list[tuple[str, int]]) -> None:
    somebody = Customer()
    for step, which in steps:
        somebody.take(step, which)
        read(adds_up, somebody.id)
        assert read(free_taken, somebody.id) in {0, 1}
    sweep.run(time.monotonic() + HANG_SECONDS, Counts())
    left = read(adds_up, somebody.id)
    assert (left.reserved_fen, left.open_turns) == (0, 0)


def free_taken(connection: Connection, user_id: str) -> int:
    """The used free messages of the day: those of turns that were not released."""
    counted = connection.find_all(
        lambda state: str(state),
        """
        SELECT state
        FROM turns
        WHERE user_id = :id AND payment = 'free' AND state <> 'released'
        """,
        id=user_id,
    )
    assert daily_messages.find_used(connection, user_id, DAY) == len(counted)
    return len(counted)


def _reserve_and_settle(user_id: str, count: int) -> int:
    """Run in one of several processes; return the number of charged turns."""
    granted = 0
    for _ in range(count):
        try:
            turn = transaction(charging.reserve, a_turn(user_id), terms())
        except InsufficientBalance:
            continue
        granted += bool(transaction(conclude, turn, ending("an answer")))
    transactions.disconnect()
    return granted


@pytest.mark.usefixtures("database")
def test_two_hundred_at_once_on_a_balance_for_fifty() -> None:
    user_id = customer(50 * 100, day=DAY)
    transactions.disconnect()
    with get_context("spawn").Pool(4) as pool:
        granted = pool.starmap(_reserve_and_settle, [(user_id, 50)] * 4)
    assert sum(granted) == 50
    assert read(adds_up, user_id) == wallets.Wallet(0, 0, 51, 0)
