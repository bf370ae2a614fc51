"""Data has an age: maintenance removes what is older than its setting, and no money."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import groupby

import pytest

from functions.account.index import handler as account
from functions.admin.index import handler as admin
from functions.credits.index import handler as credits
from functions.maintenance import aging, sweep
from functions.maintenance.chores import Counts
from functions.maintenance.index import handler
from shared.answers.conclusion import conclude
from shared.answers.ending import Ending
from shared.database import transactions
from shared.database.connection import Connection
from shared.database.transactions import read, transaction
from shared.errors import DatabaseContention
from shared.ids import lowest_id
from shared.pricing import Price, Tokens
from shared.repos import (
    audit,
    conversations,
    daily_messages,
    export_jobs,
    invites,
    orders,
    prices,
    sessions,
    turns,
    upstream_calls,
)
from shared.repos.answer_chunks import AnswerChunk
from shared.repos.conversations import OldConversation
from shared.repos.export_jobs import Job
from shared.repos.invites import Invite
from shared.repos.orders import Order
from shared.repos.sessions import Session
from shared.repos.turns import Turn
from shared.repos.upstream_calls import UpstreamCall
from shared.times import DAY_MS, day_start_ms, now_ms, shanghai_day
from tests.conftest import Configure
from tests.events import Context, invoke
from tests.functions.wallets import PER_TOKEN, abandoned, books, state_of
from tests.patience import HANG_SECONDS
from tests.people import add_user, admin_token, customer, token_of
from tests.receipts import evaluated
from tests.statements import sent_statements

PIECE = AnswerChunk("text", "因为 so.")
SO = Ending("So.", "stop", Tokens(1, 1))
CALL = UpstreamCall("main", "ok", 100, 200)
on_mariadb = pytest.mark.parametrize("database", ["mariadb"], indirect=True)


def run() -> dict[str, object]:
    """The counts of a run, without those that are 0."""
    return {name: count for name, count in handler(b"{}", Context()).items() if count}


def ms_ago(days: float) -> int:
    return now_ms() - round(days * DAY_MS)


def ended_turn(user_id: str, days: float, *, price: Price | None = None) -> Turn:
    """A turn that began and ended so long ago, with a call to an upstream."""
    at_ms = ms_ago(days)
    turn = abandoned(user_id, PIECE, price=price, message_id=lowest_id(at_ms), created_at_ms=at_ms)
    transaction(sweep._end, turn.message_id, now_ms())
    transaction(
        upstream_calls.add, turn.message_id, 1, CALL, Tokens(1, 1), model="demo", at_ms=at_ms
    )
    sql = "UPDATE turns SET ended_at_ms = :at_ms WHERE message_id = :id"
    transaction(lambda db: db.execute(sql, at_ms=at_ms, id=turn.message_id))
    return turn


def ended_turns(user_id: str, count: int) -> list[Turn]:
    """Old turns, each a millisecond younger than the one before."""
    return [ended_turn(user_id, 200 - number / DAY_MS) for number in range(count)]


def kept(turn: Turn) -> bool:
    return read(turns.find, turn.message_id) is not None


def count_of(table: str) -> int:
    [rows] = read(
        lambda db: db.find_all(lambda n: int(n), f"SELECT COUNT(*) AS n FROM {table}")  # noqa: S608
    )
    return rows


@pytest.mark.usefixtures("database")
def test_old_turns_go_with_their_calls_and_the_charge_can_still_be_checked() -> None:
    anna = customer(1000)
    old, young = (ended_turn(anna, days, price=PER_TOKEN) for days in (182, 179))
    before = books(anna)

    counts = run()

    assert counts["old_turns"] == 1
    assert [kept(turn) for turn in (old, young)] == [False, True]
    assert (count_of("upstream_attempts"), count_of("pieces")) == (1, 0)
    assert books(anna) == before
    copy = invoke(account, "GET", "/api/account/export", token=token_of(anna))
    charges = [one for one in copy.json["transactions"] if one["kind"] == "charge"]
    receipts = [json.loads(one["receipt"]) if one["receipt"] else None for one in charges]
    assert receipts[1] is None
    assert receipts[0] is not None
    assert evaluated(receipts[0]) == -charges[0]["amount_fen"] > 0
    assert run() == {}


@pytest.mark.usefixtures("database")
def test_money_and_the_audit_log_have_no_age(configure: Configure) -> None:
    configure(**dict.fromkeys((*KEEP, "KEEP_CONVERSATIONS_DAYS"), "7"))
    anna = customer(1000)
    ended_turn(anna, 4000, price=PER_TOKEN)
    transaction(audit.record, anna, "test", {})
    bought = Order("1", anna, "package", 100, 100, "paid", None, ms_ago(4000), None, None)
    transaction(orders.add, bought)
    transaction(prices.add, PER_TOKEN, changed_by=anna)
    for table, column in AGED_MONEY.items():
        transaction(make_old, table, column)
    before = {table: count_of(table) for table in (*AGED_MONEY, "wallets", "users")}

    assert run()["old_turns"] == 1

    assert {table: count_of(table) for table in before} == before
    assert min(before.values()) >= 1


def make_old(db: Connection, table: str, column: str) -> None:
    db.execute(f"UPDATE {table} SET {column} = 1")  # noqa: S608  # names of this file


AGED_MONEY = {
    "ledger": "created_at_ms",
    "orders": "created_at_ms",
    "prices": "created_at_ms",
    "audit_log": "at_ms",
}
KEEP = (
    "KEEP_TURNS_DAYS",
    "KEEP_SESSIONS_DAYS",
    "KEEP_COUNTS_DAYS",
    "KEEP_FINISHED_DAYS",
    "LOCATION_KEEP_DAYS",
)


@pytest.mark.usefixtures("database")
def test_0_days_keep_everything(configure: Configure) -> None:
    configure(**dict.fromkeys(KEEP, "0"))
    anna = customer()
    transaction(daily_messages.open_day, anna, "2020-01-01")
    turn = ended_turn(anna, 4000)
    add_job(4000)
    add_code("A", 4000, is_active=False)
    add_session(anna, 4000)
    transaction(lambda db: db.execute("DELETE FROM pieces"))

    assert run() == {}
    assert kept(turn)
    period = {"from": "2020-01-01", "to": "2020-01-02"}
    found = invoke(admin, "GET", USAGE, token=admin_token(), query=period)
    assert found.status == 200


@pytest.mark.usefixtures("database")
def test_an_open_turn_is_kept_however_old_it_is() -> None:
    at_ms = ms_ago(400)
    turn = abandoned(
        customer(),
        message_id=lowest_id(at_ms),
        created_at_ms=at_ms,
        lease_until_ms=now_ms() + DAY_MS,
    )
    assert run() == {}
    assert kept(turn)


@pytest.mark.usefixtures("database")
def test_conversations_are_kept_for_ever_or_so_long_after_their_last_message(
    configure: Configure,
) -> None:
    anna = customer()
    old, touched, answered = (talk(anna, 40 + number) for number in range(3))
    touch(touched, 29)
    assert run() == {}
    configure(KEEP_CONVERSATIONS_DAYS="30")
    running = abandoned(anna, conversation_id=answered, lease_until_ms=now_ms() + DAY_MS)

    assert run() == {"old_conversations": 1}

    assert [messages_of(one) for one in (old, touched, answered)] == [0, 2, 2]
    assert [kept_talk(one, anna) for one in (old, touched, answered)] == [False, True, True]
    questions = "turns WHERE question IS NOT NULL AND conversation_id = "
    assert [count_of(f"{questions}'{one}'") for one in (old, touched, answered)] == [0, 1, 2]

    transaction(conclude, running, Ending("And so.", "stop", Tokens(1, 1)))
    assert run() == {}
    assert messages_of(answered) == 4


@pytest.mark.usefixtures("database")
def test_many_messages_are_removed_in_parts_and_a_run_out_of_time_goes_on_in_the_next(
    configure: Configure,
) -> None:
    configure(KEEP_CONVERSATIONS_DAYS="30")
    anna = customer()
    old = talk(anna, 40)
    extra = aging.MESSAGES_AT_ONCE + 100
    for start in range(0, extra, 300):
        transaction(add_messages, old, range(start, start + 300))
    counts = Counts()

    aging._remove_conversation(OldConversation(old, anna), ms_ago(30), time.monotonic(), counts)

    assert counts == Counts()
    assert messages_of(old) == 2 + extra - aging.MESSAGES_AT_ONCE
    with sent_statements() as statements:
        assert run() == {"old_conversations": 1}
    assert messages_of(old) == 0
    assert most_deleted(statements, "messages") <= aging.MESSAGES_AT_ONCE


@pytest.mark.usefixtures("database")
def test_a_backlog_of_turns_is_removed_without_a_transaction() -> None:
    anna = customer()
    old = ended_turns(anna, aging.BATCH + 30)

    with sent_statements() as statements:
        counts = Counts()
        aging.remove_turns(float("inf"), counts)

    assert counts.old_turns == len(old)
    assert not any("BEGIN" in one or "START TRANSACTION" in one for one in statements)
    assert not any(kept(turn) for turn in old)


@pytest.mark.usefixtures("database")
def test_turns_for_which_the_time_does_not_suffice_wait_for_the_next_run() -> None:
    old = ended_turns(customer(), 3)
    counts = Counts()

    aging.remove_turns(time.monotonic(), counts)
    assert (counts.old_turns, [kept(turn) for turn in old]) == (0, [True] * 3)

    assert run()["old_turns"] == 3


@on_mariadb
@pytest.mark.usefixtures("database")
def test_a_turn_that_another_connection_holds_keeps_no_other_one() -> None:
    old = ended_turns(customer(), 5)
    counts = Counts()
    hold = "UPDATE turns SET state = state WHERE message_id = :id"
    with (
        held(lambda db: db.execute(hold, id=old[0].message_id)),
        waiting(seconds=0),
        pytest.raises(DatabaseContention),
    ):
        aging.remove_turns(float("inf"), counts)

    assert counts.old_turns == 4
    assert [kept(turn) for turn in old] == [True, False, False, False, False]
    assert run()["old_turns"] == 1


@on_mariadb
@pytest.mark.usefixtures("database")
def test_removing_waits_for_no_chat_and_no_chat_for_it() -> None:
    """While a chat holds all its locks, and at a limit of no time to wait for one."""
    anna, ben = customer(1000), customer()
    old = ended_turns(anna, 5) + ended_turns(ben, 5)
    running = [abandoned(anna, PIECE, price=PER_TOKEN), abandoned(ben, PIECE)]
    for turn in running:
        transaction(turns.renew, [turn.message_id], until_ms=now_ms() + DAY_MS)
    with held(lambda db: conclude(db, running[0], SO)), waiting(seconds=0):
        counts = Counts()
        aging.remove_turns(float("inf"), counts)
        transaction(conclude, running[1], SO)

    assert counts.old_turns == len(old)
    assert [state_of(turn) for turn in running] == ["settled"] * 2


@pytest.mark.usefixtures("database")
def test_counts_of_days_go_after_a_week() -> None:
    anna = customer()
    for days in range(10):
        transaction(daily_messages.open_day, "guest", shanghai_day(ms_ago(days)))

    assert run() == {"old_days": 2}
    assert count_of("daily_messages WHERE subject = 'guest'") == 8
    assert read(daily_messages.find_used, anna, shanghai_day(now_ms())) == 0


@pytest.mark.usefixtures("database")
def test_ended_exports_and_codes_that_nobody_used_go_after_90_days() -> None:
    for days in (91, 89):
        add_job(days)
    add_job(92, state="running")
    add_code("used", 91, used=1, is_active=False)
    add_code("active", 91)
    add_code("off", 91, is_active=False)
    add_code("young-off", 89, is_active=False)
    add_code("over", 200, expires_at_ms=ms_ago(91))
    add_code("just-over", 200, expires_at_ms=ms_ago(89))

    assert run() == {"old_exports": 1, "old_invites": 2, "exports_ended": 1}
    left = read(lambda db: db.find_all(lambda code: str(code), "SELECT code FROM invites"))
    assert sorted(left) == ["active", "just-over", "used", "young-off"]


@pytest.mark.usefixtures("database")
def test_sessions_past_their_age_go_also_without_a_refresh_token(configure: Configure) -> None:
    configure(SESSION_EXPIRES_IN="10d", KEEP_SESSIONS_DAYS="5")
    anna = customer()
    old, young = (add_session(anna, days) for days in (15.1, 14.9))

    assert run() == {"old_sessions": 1}
    left = read(lambda db: db.find_all(lambda id: str(id), "SELECT id FROM sessions"))
    assert (left, old != young) == ([young], True)


USAGE = "/api/admin/usage"


@pytest.mark.usefixtures("database")
def test_the_usage_report_refuses_days_of_which_turns_were_removed(configure: Configure) -> None:
    today, first = shanghai_day(now_ms()), shanghai_day(ms_ago(30))
    configure(KEEP_TURNS_DAYS="30")
    token = admin_token()
    asked = [
        invoke(admin, "GET", USAGE, token=token, query={"from": start, "to": today})
        for start in (first, shanghai_day(ms_ago(31)))
    ]

    assert [one.status for one in asked] == [200, 422]
    assert asked[1].json["details"] == [
        {
            "field": "query.from",
            "problem": f"turns are kept for 30 days (KEEP_TURNS_DAYS); the first day is {first}",
        }
    ]


@pytest.mark.usefixtures("database")
def test_of_the_first_day_that_is_kept_nothing_is_missing(configure: Configure) -> None:
    configure(KEEP_TURNS_DAYS="30")
    start_ms = day_start_ms(shanghai_day(ms_ago(30)))
    days_ago = (now_ms() - start_ms) / DAY_MS
    anna = customer()
    before, first = ended_turn(anna, days_ago + 0.001), ended_turn(anna, days_ago - 0.001)

    run()

    assert [kept(turn) for turn in (before, first)] == [False, True]


@pytest.mark.parametrize("given", ["1", "-1", "6", "7d", "x"])
@pytest.mark.usefixtures("database")
def test_a_setting_that_would_remove_what_is_needed_is_refused(
    configure: Configure, given: str
) -> None:
    configure(KEEP_TURNS_DAYS=given)
    token = token_of(customer())
    assert invoke(credits, "GET", "/api/credits", token=token).status == 200
    reply = invoke(admin, "GET", USAGE, token=admin_token())
    assert (reply.status, reply.error) == (503, "misconfigured")


def talk(user_id: str, days: float) -> str:
    """The id of a conversation of one turn, so many days old."""
    turn = abandoned(user_id, created_at_ms=ms_ago(days))
    transaction(conclude, turn, Ending("Because.", "stop", Tokens(1, 1)))
    touch(turn.message_id, days)
    sql = "UPDATE turns SET question = 'Why?' WHERE message_id = :id"
    transaction(lambda db: db.execute(sql, id=turn.message_id))
    return turn.message_id


def touch(conversation_id: str, days: float) -> None:
    assert transaction(conversations.touch, conversation_id, at_ms=ms_ago(days))


def kept_talk(conversation_id: str, user_id: str) -> bool:
    return count_of(f"conversations WHERE id = '{conversation_id}' AND user_id = '{user_id}'") == 1


def messages_of(conversation_id: str) -> int:
    return count_of(f"messages WHERE conversation_id = '{conversation_id}'")


def add_messages(db: Connection, conversation_id: str, numbers: range) -> None:
    new = [
        conversations.Message(f"{number:026}", conversation_id, "user", "Hi", 1)
        for number in numbers
    ]
    conversations.append(db, *new)


def add_job(days: float, *, state: str = "failed") -> None:
    at_ms, admin_id = ms_ago(days), add_user("admin").id
    ended = None if state == "running" else at_ms
    job = Job(lowest_id(at_ms), admin_id, "{}", at_ms, at_ms, state=state, ended_at_ms=ended)
    transaction(export_jobs.add, job)


def add_code(code: str, days: float, **fields: object) -> None:
    invite = Invite(code, None, 9, 0, 0, "", True, None, "admin", ms_ago(days))
    assert transaction(invites.add, replace(invite, **fields))  # type: ignore[arg-type]


def add_session(user_id: str, days: float) -> str:
    at_ms = ms_ago(days)
    transaction(sessions.add, Session(lowest_id(at_ms), user_id, None, at_ms, at_ms))
    return lowest_id(at_ms)


def most_deleted(statements: list[str], table: str) -> int:
    """The most rows of the table that one transaction deleted, by their primary key."""
    start = f"DELETE FROM {table} WHERE "  # noqa: S608  # a text to compare
    per_transaction = [
        sum(one.strip().startswith(start) for one in group)
        for is_end, group in groupby(statements, lambda one: one.strip() == "COMMIT")
        if not is_end
    ]
    return max(per_transaction)


@contextmanager
def waiting(*, seconds: int) -> Iterator[None]:
    """Let this thread's connection wait so long for a lock."""
    read(lambda db: db.execute("SET innodb_lock_wait_timeout = :seconds", seconds=seconds))
    yield
    transactions.disconnect()


@contextmanager
def held(work: Callable[[Connection], object]) -> Iterator[None]:
    """Keep the transaction of the work open on a connection of its own; commit it at the end."""
    connection = transactions.connect(HANG_SECONDS, HANG_SECONDS)
    try:
        connection.begin()
        work(connection)
        yield
        connection.commit()
    finally:
        connection.close()
