"""Maintenance: ends abandoned turns and exports, and deletes expired rows."""

import json
import time
import traceback
from contextlib import suppress
from multiprocessing import get_context

import httpx
import pytest

from functions.maintenance import chores, index, retention, sweep
from functions.maintenance.chores import Counts
from functions.maintenance.index import handler
from scripts.tooling.database import migrations
from scripts.tooling.environment import ROOT
from scripts.tooling.manifest.s_yaml import Timer, load
from shared.accounts import tokens
from shared.answers.conclusion import conclude
from shared.answers.ending import Ending
from shared.database import transactions
from shared.database.connection import Connection
from shared.database.transactions import read, transaction
from shared.ids import lowest_id, new_id
from shared.llm.call_lines import line_of
from shared.llm.estimate import estimate_tokens
from shared.llm.events import ToolCall
from shared.money import charging
from shared.money.outcome import stored_outcome, usage_json
from shared.pricing import Tokens, amount_fen, price_json
from shared.repos import answer_chunks, conversations, daily_messages, idempotency, sessions, turns
from shared.repos.answer_chunks import AnswerChunk
from shared.repos.idempotency import IdempotencyKey
from shared.repos.turns import Turn
from shared.repos.wallets import Wallet
from shared.times import now_ms
from shared.web.timers import TimerFailed
from tests.conftest import Configure
from tests.events import Context
from tests.fakes.upstream_scenarios import PIECES as PIECES_OF_MODEL
from tests.functions.chat.chatting import open_stream
from tests.functions.conftest import SignUp
from tests.functions.wallets import (
    PER_MESSAGE,
    PER_TOKEN,
    abandoned,
    books,
    guest,
    state_of,
    summed_up,
    today,
)
from tests.patience import HANG_SECONDS
from tests.people import customer, grant, register
from tests.receipts import evaluated
from tests.web import eventually, serving

EVENT = b'{"triggerTime":"2026-11-22T06:00:00Z","triggerName":"every-minute","payload":""}'
HOUR_MS = 3600 * 1000
DAY_MS = 24 * HOUR_MS
COUNTED = ("settled", "released", "failed", "keys", "answers", "limits")
ENDED = ("refresh_tokens", "sessions", "addresses", "exports_resumed", "exports_ended")
FILES = ("uploads", "objects")
AGED = ("turns", "conversations", "days", "sessions", "exports", "invites", "locations")
NOTHING = dict.fromkeys((*COUNTED, *ENDED, *FILES, *(f"old_{name}" for name in AGED)), 0)
PIECES = (AnswerChunk("reasoning", "Hm."), AnswerChunk("text", "因为"), AnswerChunk("text", " so."))


def run() -> dict[str, object]:
    return handler(EVENT, Context())


def outcome_of(turn: Turn) -> dict[str, object]:
    return stored_outcome(read(turns.get, turn.message_id))


@pytest.mark.usefixtures("database")
def test_tool_calls_and_a_refusal_are_counted_by_their_output() -> None:
    """The version before reads `kind` and `text`: it shows the refusal, and none of the calls."""
    lines = line_of(ToolCall(0, "call_1", "clock")) + line_of(ToolCall(0, arguments='{"a": 1}'))
    stored = (AnswerChunk("tool_calls", lines), AnswerChunk("refusal", "No."))
    turn = abandoned(customer(1000), *stored, price=PER_TOKEN)
    run()

    usage = Tokens(turn.prompt_tokens, estimate_tokens('clock{"a": 1}No.'), source="estimated")
    assert outcome_of(turn)["usage"] == usage_json(usage)
    assert [(one.kind, one.text) for one in pieces_of(turn)] == [
        ("tool_calls", lines),
        ("refusal", "No."),
    ]
    select = "SELECT kind, text FROM pieces WHERE message_id = :id ORDER BY position"
    seen = read(lambda db: db.find_all(AnswerChunk, select, id=turn.message_id))
    assert seen == [AnswerChunk("text", ""), AnswerChunk("text", "No.")]


@pytest.mark.usefixtures("database")
def test_an_answer_with_text_is_settled_from_what_is_stored_of_it() -> None:
    anna = customer(1000)
    turn = abandoned(anna, *PIECES, price=PER_TOKEN)

    assert run() == {**NOTHING, "settled": 1}

    tokens = Tokens(prompt=100, completion=4, source="estimated")
    counts = {"prompt_tokens": 100, "cached_tokens": 0, "completion_tokens": 4}
    usage = {**counts, "source": "estimated"}
    cost = amount_fen(PER_TOKEN, tokens)
    assert cost == 9
    outcome = outcome_of(turn)
    outcome.pop("latency_ms", None)
    assert outcome == {
        "finish_reason": "interrupted",
        "usage": usage,
        "charge": vars(charging.charge_for(turn, tokens)),
        "quota": {"daily_limit": 0, "used_today": 0, "remaining": 0, "balance_fen": 1000 - cost},
    }
    assert summed_up(turn) == (100, 0, 4, cost)
    assert books(anna) == Wallet(1000 - cost, 0, 2, 0)
    assert messages_of(turn) == [("user", "Why?"), ("assistant", "因为 so.")]


@pytest.mark.usefixtures("database")
def test_an_answer_stands_after_its_question_also_by_a_clock_that_is_behind() -> None:
    """The instance that ends it has a clock a minute behind that of the one that began it."""
    began_ms = now_ms() + 60_000
    turn = abandoned(customer(), *PIECES, created_at_ms=began_ms)

    run()

    sql = "SELECT role, created_at_ms - :at AS ms FROM messages WHERE conversation_id = :id"
    rows = read(Connection.find_all, dict[str, object], sql, at=began_ms, id=turn.conversation_id)
    assert {row["role"]: row["ms"] for row in rows} == {"user": 0, "assistant": 1}
    assert outcome_of(turn)["latency_ms"] == 0


@pytest.mark.usefixtures("database")
def test_its_receipt_is_enough_to_compute_the_charge_again() -> None:
    turn = abandoned(customer(1000), *PIECES, price=PER_TOKEN)
    run()

    charge = outcome_of(turn)["charge"]
    assert isinstance(charge, dict)
    assert charge["receipt"]["price"] == price_json(PER_TOKEN)
    assert charge["amount_fen"] == evaluated(charge["receipt"])


@pytest.mark.usefixtures("database")
def test_an_answer_of_reasoning_alone_is_settled_too() -> None:
    anna = customer(300)
    paid, free = (abandoned(anna, *PIECES[:1], price=price) for price in (PER_MESSAGE, None))

    assert run() == {**NOTHING, "settled": 2}

    assert books(anna) == Wallet(200, 0, 2, 0)
    assert read(daily_messages.find_used, anna, today()) == 1
    assert [outcome_of(turn).get("error") for turn in (paid, free)] == [None, None]


@pytest.mark.usefixtures("database")
def test_an_empty_answer_gives_back_what_was_taken_for_it() -> None:
    anna = customer(300)
    paid, free = abandoned(anna, price=PER_MESSAGE), abandoned(anna)
    transaction(idempotency.claim, IdempotencyKey(anna, "k", "hash", paid.message_id, now_ms()))
    assert books(anna) == Wallet(300, 100, 1, 2)
    assert read(daily_messages.find_used, anna, today()) == 1

    assert run() == {**NOTHING, "released": 2}

    assert books(anna) == Wallet(300, 0, 1, 0)
    assert read(daily_messages.find_used, anna, today()) == 0
    assert [state_of(paid), state_of(free)] == ["released", "released"]
    assert [outcome_of(turn)["charge"] for turn in (paid, free)] == [
        {"kind": "none", "amount_fen": 0, "receipt": None}
    ] * 2
    assert outcome_of(paid)["error"] == "upstream_error"
    assert [summed_up(turn) for turn in (paid, free)] == [(100, 0, 0, 0)] * 2
    again = IdempotencyKey(anna, "k", "another hash", new_id(), now_ms())
    assert transaction(idempotency.claim, again) is None


@pytest.mark.usefixtures("database")
def test_a_guest_is_counted_for_text_and_for_nothing_else() -> None:
    subject = guest()
    for said in (PIECES, ()):
        abandoned(subject, *said, is_guest=True)

    assert run() == {**NOTHING, "settled": 1, "released": 1}
    assert read(daily_messages.find_used, subject, today()) == 1


@pytest.mark.parametrize(
    ("scenario", "said", "state"),
    [("stall", PIECES_OF_MODEL[:2], "settled"), ("no-first-byte", (), "released")],
)
def test_what_an_instance_was_producing_when_it_was_killed_is_ended_by_the_sweeper(
    scenario: str,
    said: tuple[str, ...],
    state: str,
    variables: dict[str, str],
    chat_database: str,
    sign_up: SignUp,
) -> None:
    anna = sign_up()
    grant(anna, 500)
    given = {**variables, "DATABASE_URL": chat_database, "DAILY_FREE_MESSAGES": "0"}
    asked = f"scenario: {scenario}"
    with serving("chat", **given) as web, open_stream(web, asked, token=anna.token) as stream:
        (turn,) = eventually(lambda: open_turns(anna.id, "".join(said)))
        web.process.kill()
        with suppress(httpx.TransportError):
            stream.read()
    run()
    assert state_of(turn) == "open"  # it may be alive, for all anybody knows

    transaction(turns.renew, [turn.message_id], until_ms=1)
    run()

    assert state_of(turn) == state
    cost = 100 * len(said[:1])
    assert books(anna.id) == Wallet(500 - cost, 0, 1 + len(said[:1]), 0)
    assert outcome_of(turn)["finish_reason"] == "interrupted"
    answers = [content for role, content in messages_of(turn) if role == "assistant"]
    assert answers == ["".join(said)] * len(said[:1])


def messages_of(turn: Turn) -> list[tuple[str, str]]:
    """The role and the content of each message of the turn's conversation."""
    found = read(conversations.list_messages, turn.conversation_id or "", after=None, count=9)
    return [(message.role, message.content) for message in found]


def open_turns(user_id: str, text: str) -> list[Turn]:
    """The open turns of a user whose stored chunks have this text."""
    ids = read(turns.list_abandoned, before_ms=now_ms() + DAY_MS, count=1000)
    found = [turn for turn in (read(turns.get, one) for one in ids) if turn.user_id == user_id]
    return [turn for turn in found if "".join(p.text for p in pieces_of(turn)) == text]


def _swept_in_a_process(_: int) -> Counts:
    """Sweep without the lock, which a run may lose with its connection."""
    counts = Counts()
    try:
        sweep.run(time.monotonic() + HANG_SECONDS, counts)
        return counts
    finally:
        transactions.disconnect()


@pytest.mark.usefixtures("database")
def test_four_sweepers_at_once_end_every_turn_once() -> None:
    people = [customer(10_000) for _ in range(3)]
    texts = [abandoned(one, *PIECES, price=PER_MESSAGE) for one in people for _ in range(15)]
    silent = [abandoned(one, price=PER_MESSAGE) for one in people for _ in range(10)]
    free = [abandoned(one) for one in people for _ in range(5)]
    transactions.disconnect()

    with get_context("spawn").Pool(4) as pool:
        summaries = pool.map(_swept_in_a_process, range(4), chunksize=1)

    total = {name: sum(vars(one)[name] for one in summaries) for name in NOTHING}
    assert total == {**NOTHING, "settled": 45, "released": 45}
    assert {state_of(turn) for turn in texts} == {"settled"}
    assert {state_of(turn) for turn in silent + free} == {"released"}
    assert [books(one) for one in people] == [Wallet(10_000 - 1500, 0, 16, 0)] * 3
    assert [read(daily_messages.find_used, one, today()) for one in people] == [0, 0, 0]
    assert run() == NOTHING


def _concluded_in_a_process(ids: list[str]) -> int:
    """End the turns like an instance that was still alive; return how many it ended itself."""
    ended = 0
    for message_id in ids:
        turn = read(turns.get, message_id)
        ending = Ending("All of it.", "stop", Tokens(1, 1))
        ended += transaction(conclude, turn, ending) is not None
    transactions.disconnect()
    return ended


@pytest.mark.usefixtures("database")
def test_a_sweeper_and_the_instance_that_is_alive_charge_once_between_them() -> None:
    anna = customer(10_000)
    opened = [abandoned(anna, *PIECES, price=PER_MESSAGE) for _ in range(30)]
    transactions.disconnect()

    with get_context("spawn").Pool(2) as pool:
        alive = pool.apply_async(_concluded_in_a_process, [[one.message_id for one in opened]])
        swept = pool.apply_async(_swept_in_a_process, [0])
        ended = alive.get(60) + swept.get(60).settled

    assert ended == 30
    assert books(anna) == Wallet(7000, 0, 31, 0)


@pytest.mark.usefixtures("database")
def test_a_turn_whose_producer_renews_its_lease_is_left_alone() -> None:
    turn, listed_ms = abandoned(customer(), *PIECES), now_ms()
    transaction(turns.renew, [turn.message_id], until_ms=now_ms() + 30_000)

    assert transaction(turns.lock_abandoned, turn.message_id, before_ms=listed_ms) is False
    assert run() == NOTHING
    assert state_of(turn) == "open"


@pytest.mark.usefixtures("database")
def test_a_lease_must_have_expired_before_the_previous_run() -> None:
    """It may have expired because the database was away; the instance has until the next run."""
    assert run() == NOTHING
    turn = abandoned(customer(), *PIECES, lease_until_ms=now_ms())

    assert run() == NOTHING
    assert state_of(turn) == "open"
    assert run() == {**NOTHING, "settled": 1}


@pytest.mark.usefixtures("database")
def test_a_turn_that_cannot_be_ended_does_not_keep_the_others_open(
    capsys: pytest.CaptureFixture[str],
) -> None:
    anna = customer(1000)
    broken = abandoned(anna, *PIECES, price=PER_MESSAGE, lease_until_ms=1)
    sound = abandoned(anna, *PIECES, price=PER_MESSAGE)
    transaction(
        lambda connection: connection.execute(
            "UPDATE turns SET price = 'no JSON' WHERE message_id = :id", id=broken.message_id
        )
    )

    with pytest.raises(TimerFailed, match=r"^internal_error$"):
        run()

    assert [state_of(broken), state_of(sound)] == ["open", "settled"]
    assert books(anna) == Wallet(900, 100, 2, 1)
    crash, summary = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert (crash["event"], crash["request_id"]) == ("crash", broken.message_id)
    failures = {"turns": "internal_error"}
    assert summary["context"] == {**NOTHING, "settled": 1, "failed": 1, "failures": failures}


@pytest.mark.usefixtures("database")
def test_what_the_time_does_not_suffice_for_waits_for_the_next_run() -> None:
    anna = customer()
    turn = abandoned(anna, *PIECES)
    transaction(
        idempotency.claim, IdempotencyKey(anna, "k", "hash", new_id(), now_ms() - 25 * HOUR_MS)
    )
    over = time.monotonic()

    counts = Counts()
    assert chores.run_all(index._CHORES, over, counts) == {}
    for chore in index._CHORES.values():
        chore(over, counts)
    assert counts == Counts()
    assert state_of(turn) == "open"
    assert run() == {**NOTHING, "settled": 1, "keys": 1}


@pytest.mark.usefixtures("database")
def test_keys_are_forgotten_after_a_day_however_many_there_are() -> None:
    anna, old = customer(), retention.BATCH + 30
    now = now_ms()

    def claim_all(connection: Connection) -> None:
        for number in range(old):
            at_ms = now - DAY_MS - 1000 - number // 7  # some of the same moment
            idempotency.claim(
                connection, IdempotencyKey(anna, f"old {number}", "h", new_id(), at_ms)
            )
        for number in range(3):
            at_ms = now - DAY_MS + 60_000
            idempotency.claim(
                connection, IdempotencyKey(anna, f"new {number}", "h", new_id(), at_ms)
            )

    transaction(claim_all)
    assert run() == {**NOTHING, "keys": old}
    assert [key_is_taken(anna, name) for name in ("old 0", "old 129", "new 0")] == [
        False,
        False,
        True,
    ]


def key_is_taken(subject: str, name: str) -> bool:
    probe = IdempotencyKey(subject, name, "h", new_id(), now_ms())
    return transaction(idempotency.claim, probe) is not None


@pytest.mark.usefixtures("database")
def test_pieces_of_what_ended_a_day_ago_are_removed_and_the_conversation_stays() -> None:
    anna, now = customer(), now_ms()
    old = [
        ended(anna, began_ms=now - 26 * HOUR_MS + number, ended_ms=now - 25 * HOUR_MS)
        for number in range(3)
    ]
    late = ended(anna, began_ms=now - 25 * HOUR_MS, ended_ms=now - 23 * HOUR_MS)
    fresh = ended(anna, began_ms=now, ended_ms=now)

    assert run() == {**NOTHING, "answers": 3}

    assert [len(pieces_of(turn)) for turn in (*old, late, fresh)] == [0, 0, 0, 3, 3]
    assert messages_of(old[0]) == [("user", "Why?"), ("assistant", "因为 so.")]


@pytest.mark.usefixtures("database")
def test_pieces_are_removed_a_batch_at_a_time_the_oldest_first() -> None:
    anna, began_ms = customer(), now_ms() - 26 * HOUR_MS
    five = [ended(anna, began_ms=began_ms + n, ended_ms=began_ms) for n in range(5)]

    assert transaction(answer_chunks.remove_ended, now_ms() - DAY_MS, count=2) == 2
    assert [bool(pieces_of(turn)) for turn in five] == [False, False, True, True, True]
    assert run() == {**NOTHING, "answers": 3}


@pytest.mark.usefixtures("database")
def test_keys_are_removed_a_batch_at_a_time_the_oldest_first() -> None:
    names = [f"key-{n}" for n in range(5)]
    for at_ms, name in enumerate(names):
        key = IdempotencyKey("anna", name, "0" * 64, new_id(), at_ms)
        transaction(idempotency.store, key)

    assert transaction(idempotency.forget_before, 4, count=2) == 2
    left = [bool(read(idempotency.find, "anna", name)) for name in names]
    assert left == [False, False, True, True, True]


def ended(user_id: str, *, began_ms: int, ended_ms: int) -> Turn:
    turn = abandoned(user_id, *PIECES, message_id=lowest_id(began_ms), created_at_ms=began_ms)
    transaction(sweep._end, turn.message_id, now_ms())
    transaction(
        lambda connection: connection.execute(
            "UPDATE turns SET ended_at_ms = :at_ms WHERE message_id = :id",
            at_ms=ended_ms,
            id=turn.message_id,
        )
    )
    return turn


def pieces_of(turn: Turn) -> list[answer_chunks.StoredChunk]:
    return read(answer_chunks.list_from, turn.message_id, 0)


@pytest.mark.usefixtures("database")
def test_a_run_is_one_line_in_the_log(capsys: pytest.CaptureFixture[str]) -> None:
    run()

    (line,) = capsys.readouterr().out.splitlines()
    record = json.loads(line)
    assert {**record, "time": "", "latency_ms": 0} == {
        "time": "",
        "level": "info",
        "event": "timer",
        "request_id": "1-context",
        "latency_ms": 0,
        **NOTHING,
    }


def test_a_database_that_is_away_is_one_error_line_and_a_failure_without_a_secret(
    configure: Configure, capsys: pytest.CaptureFixture[str]
) -> None:
    configure(DATABASE_URL="mysql://canary-user:canary-password@127.0.0.1:1/canary-shop")

    with pytest.raises(TimerFailed, match=r"^database_unavailable$") as raised:
        run()

    told = "".join(traceback.format_exception(raised.value))
    assert (raised.value.__cause__, raised.value.__context__) == (None, None)
    (line,) = capsys.readouterr().out.splitlines()
    record = json.loads(line)
    assert (record["level"], record["error"]) == ("error", "database_unavailable")
    assert "canary" not in told + line


def test_an_unforeseen_failure_tells_the_platform_no_more_than_its_type(
    configure: Configure, capsys: pytest.CaptureFixture[str], tmp_path: object
) -> None:
    """The database lacks a column, so the driver's message would quote the statement."""
    configure(DATABASE_URL=f"sqlite:///{tmp_path}/canary.db")
    migrations.up()
    transaction(lambda db: db.execute("ALTER TABLE turns RENAME COLUMN state TO elsewhere"))
    capsys.readouterr()

    with pytest.raises(TimerFailed, match=r"^OperationalError$") as raised:
        run()

    assert "turns" not in "".join(traceback.format_exception_only(raised.value))
    *crashes, last = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [one["event"] for one in crashes] == ["crash"] * len(crashes)
    assert "turns" in [one["chore"] for one in crashes]
    assert last["error"] == "OperationalError"
    assert set(last["context"]["failures"]) == {one["chore"] for one in crashes}


@pytest.mark.usefixtures("configure")
def test_without_a_database_there_is_nothing_to_do() -> None:
    assert run() == {"skipped": "there is no database"}


def test_only_the_clock_can_start_it() -> None:
    manifest = load(ROOT / "s.yaml", {}, strict=False)
    function = manifest.function("maintenance")

    every_minute = Timer("every-minute", "0 * * * * *")
    assert (function.methods, function.timers) == ((), (every_minute,))
    assert [route for route in manifest.routes if route.function == "maintenance"] == []
    assert not hasattr(handler, "endpoints")


@pytest.mark.usefixtures("database")
def test_refresh_tokens_and_sessions_are_forgotten_a_day_after_their_end() -> None:
    held, left, expired, lately = (sign_in_on(name) for name in ("held", "left", "old", "new"))
    now = now_ms()
    for session_id, ago_ms in ((left, DAY_MS + HOUR_MS), (lately, DAY_MS - HOUR_MS)):
        set_at("UPDATE sessions SET ended_at_ms = :at WHERE id = :id", session_id, now - ago_ms)
    set_at(
        "UPDATE refresh_tokens SET expires_at_ms = :at WHERE session_id = :id",
        expired,
        now - DAY_MS - HOUR_MS,
    )

    assert run() == {**NOTHING, "refresh_tokens": 1, "sessions": 1}

    assert ids_of("SELECT session_id AS id FROM refresh_tokens") == {held, lately}
    assert ids_of("SELECT id FROM sessions") == {held, expired, lately}
    assert ids_of("SELECT id FROM sessions WHERE ended_at_ms IS NULL") == {held}
    assert run() == {**NOTHING, "sessions": 1}
    assert ids_of("SELECT id FROM sessions") == {held, lately}


@pytest.mark.usefixtures("database")
def test_a_session_that_has_a_good_token_outlives_its_expired_ones() -> None:
    held = sign_in_on("phone")
    expired_ms = now_ms() - 2 * DAY_MS
    for token_hash in "ab":
        transaction(
            sessions.add_refresh_token,
            token_hash * 64,
            held,
            issued_at_ms=1,
            expires_at_ms=expired_ms,
        )

    assert run() == {**NOTHING, "refresh_tokens": 2}

    assert ids_of("SELECT id FROM sessions WHERE ended_at_ms IS NULL") == {held}


@pytest.mark.usefixtures("database")
def test_many_expired_refresh_tokens_are_forgotten_in_batches() -> None:
    held = sign_in_on("phone")
    for number in range(2 * retention.BATCH + 5):
        transaction(
            sessions.add_refresh_token, f"{number:064}", held, issued_at_ms=1, expires_at_ms=number
        )

    assert run() == {**NOTHING, "refresh_tokens": 2 * retention.BATCH + 5}


def sign_in_on(device: str) -> str:
    """Log in; return the id of the session."""
    session = register(f"{device}-{new_id().lower()}", device=device).data
    return tokens.read_access(session["access_token"]).session_id


def set_at(sql: str, session_id: str, at_ms: int) -> None:
    transaction(lambda db: db.execute(sql, id=session_id, at=at_ms))


def ids_of(sql: str) -> set[str]:
    return set(read(lambda db: db.find_all(lambda id: str(id), sql)))
