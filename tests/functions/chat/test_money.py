"""Charges of chat: daily free messages first, then the balance, then a refusal."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from shared.database.transactions import read
from shared.repos import daily_messages, wallets
from shared.times import now_ms, seconds_left_of_day, shanghai_day
from tests.conftest import Configure
from tests.events import Reply
from tests.fakes.upstream import COMPLETION_TOKENS, PROMPT_TOKENS, Upstream
from tests.functions.chat.chatting import (
    ask,
    ask_at_once,
    hear,
    message_id_of,
    open_stream,
    pieces_of,
)
from tests.functions.chat.chatting import stop as stop_answer
from tests.functions.conftest import Pair, SignUp
from tests.ledger_checks import adds_up
from tests.people import grant, use_up
from tests.receipts import evaluated
from tests.web import WebFunction, eventually, serving

FREE = {"kind": "free", "amount_fen": 0, "receipt": None}
RECEIPT = {
    "prompt_tokens": PROMPT_TOKENS,
    "completion_tokens": COMPLETION_TOKENS,
    "source": "reported",
    "cached_tokens": 0,
    "reserved_fen": 100,
    "price": {
        "model": "test-model",
        "version": 0,
        "unit": "message",
        "message_fen": 100,
        "input_fen_per_million": 0,
        "cached_fen_per_million": 0,
        "output_fen_per_million": 0,
    },
    "formula": "amount_fen = message_fen",
}


def test_first_the_free_messages_then_the_balance_then_payment_is_required(
    pair: Pair, join: SignUp, fake: Upstream
) -> None:
    anna = join()
    use_up(anna, 19)
    grant(anna, 250)
    told = [
        ask(pair[0], token=anna.token).data,
        hear(pair[1], token=anna.token).last.data,
        ask(pair[0], token=anna.token).data,
    ]
    refused = ask(pair[1], token=anna.token), ask(pair[0], token=anna.token, stream=True)

    used_up = {"daily_limit": 20, "used_today": 20, "remaining": 0}
    charged = {"kind": "balance", "amount_fen": 100, "receipt": RECEIPT}
    assert [one["charge"] for one in told] == [FREE, charged, charged]
    assert [one["quota"] for one in told] == [
        {**used_up, "balance_fen": balance} for balance in (250, 150, 50)
    ]
    assert [(one.status, one.error) for one in refused] == [(402, "insufficient_balance")] * 2
    assert len(fake.requests) == 3
    assert read(adds_up, anna.id) == wallets.Wallet(50, 0, 3, 0)


def test_the_balance_a_client_is_told_leaves_out_what_is_held_for_its_other_answers(
    pair: Pair, join: SignUp
) -> None:
    """The running answer holds 100 fen, and this one costs 100."""
    anna = join()
    use_up(anna)
    grant(anna, 1000)
    with open_stream(pair[0], "scenario: endless", token=anna.token) as answer:
        running = message_id_of(next(pieces_of(answer)))
        told = [ask(pair[1], token=anna.token).data, hear(pair[0], token=anna.token).last.data]
        assert read(adds_up, anna.id) == wallets.Wallet(800, 100, 3, 1)
        assert stop_answer(pair[0], running, token=anna.token) == 200

    assert [one["quota"]["balance_fen"] for one in told] == [800, 700]


def test_a_charge_can_be_computed_again_from_what_the_client_was_told(
    pair: Pair, join: SignUp
) -> None:
    anna = join()
    use_up(anna)
    grant(anna, 100)
    charge = ask(pair[0], token=anna.token).data["charge"]

    assert charge["amount_fen"] == evaluated(charge["receipt"])


def test_without_the_credit_system_there_are_the_free_messages_and_no_more(
    pair: Pair, join: SignUp
) -> None:
    anna = join()
    grant(anna, 1000)
    given = {"ENABLE_CREDIT_SYSTEM": "false", "DAILY_FREE_MESSAGES": "1"}
    with serving("chat", **{**pair[0].variables, **given}) as web:
        answer, refused = ask(web, token=anna.token), ask(web, token=anna.token)

    assert (answer.status, answer.data["charge"]) == (200, FREE)
    assert (refused.status, refused.error) == (429, "daily_limit_reached")
    assert 0 < int(refused.headers["retry-after"]) <= 24 * 3600


def test_so_many_answers_at_once_and_no_more_whichever_instance_gives_them(
    pair: Pair, join: SignUp
) -> None:
    anna = join()
    with (
        serving("chat", **{**pair[0].variables, "MAX_STREAMS_PER_USER": "1"}) as strict,
        open_stream(pair[0], "scenario: endless", token=anna.token) as answer,
    ):
        running = message_id_of(next(pieces_of(answer)))
        refused = ask(strict, token=anna.token)
        assert stop_answer(strict, running, token=anna.token) == 200
        eventually(lambda: ask(strict, token=anna.token).status == 200)

    assert (refused.status, refused.error) == (429, "too_many_streams")


def test_parallel_questions_in_one_conversation_are_never_told_that_money_is_missing(
    pair: Pair, join: SignUp
) -> None:
    """The history is read before the reservation is refused, so its snapshot is older."""
    anna = join()
    use_up(anna)
    grant(anna, 999_707)
    with serving("chat", **{**pair[0].variables, "MAX_STREAMS_PER_USER": "3"}) as strict:
        conversation_id = ask(strict, token=anna.token).data["conversation_id"]
        asked = [{"message": "and?", "conversation_id": conversation_id}] * 6
        replies = [one for _ in range(15) for one in ask_at_once([strict], asked, token=anna.token)]

    refused = {(one.status, one.error) for one in replies if one.status != 200}
    assert refused == {(429, "too_many_streams")}
    assert read(adds_up, anna.id).open_turns == 0


@pytest.mark.parametrize("run", range(5))
def test_two_hundred_at_once_on_a_balance_for_fifty(
    run: int, pair: Pair, join: SignUp, fake: Upstream
) -> None:
    anna = join()
    use_up(anna)
    grant(anna, 50 * 100)

    replies = decided(pair, [{"message": f"run {run}"}] * 200, token=anna.token)

    lost = read(adds_up, anna.id).open_turns
    answered = [one.data["charge"]["amount_fen"] for one in replies if one.status == 200]
    refused = [(one.status, one.error) for one in replies if one.status != 200]
    assert answered == [100] * (50 - lost)
    assert refused == [(402, "insufficient_balance")] * (150 + lost)
    assert len(fake.requests) == 50 - lost
    assert read(adds_up, anna.id) == wallets.Wallet(100 * lost, 100 * lost, 51 - lost, lost)


def decided(webs: Sequence[WebFunction], bodies: Sequence[object], *, token: str) -> list[Reply]:
    """Ask at once, and one at a time what the database did not decide within its 5 s.

    Such a reservation may have been made all the same. It stays open until the sweeper
    ends it, and nobody is answered for it. On an idle machine there is none.
    """
    replies = ask_at_once(webs, bodies, token=token)
    undecided = [body for body, one in zip(bodies, replies, strict=True) if is_undecided(one)]
    while undecided:
        reply = ask_at_once(webs, [undecided[-1]], token=token)[0]
        if not is_undecided(reply):
            undecided.pop()
            replies.append(reply)
    return [one for one in replies if not is_undecided(one)]


def is_undecided(reply: Reply) -> bool:
    return reply.status == 503 and reply.error == "database_unavailable"


def test_at_midnight_in_shanghai_there_are_twenty_free_messages_again(
    pair: Pair, join: SignUp, configure: Configure, tmp_path: Path
) -> None:
    """The clocks of two running instances are moved past midnight; the test's clock is not."""
    configure(JWT_EXPIRES_IN="2d")
    anna, clock = join(), tmp_path / "clock"
    midnight_ms = now_ms() + seconds_left_of_day(now_ms()) * 1000

    def free_at(ms: int) -> list[int]:
        clock.write_text(str(ms - now_ms()))
        replies = decided(webs, [{"message": "at once"}] * 30, token=anna.token)
        refused = [one.error for one in replies if one.status == 402]
        assert refused == ["insufficient_balance"] * 10
        return sorted(one.data["quota"]["used_today"] for one in replies if one.status == 200)

    clock.write_text("0")
    with (
        serving("chat", clock, **pair[0].variables) as one,
        serving("chat", clock, **pair[0].variables) as other,
    ):
        webs = [one, other]
        before, after = free_at(midnight_ms - 60_000), free_at(midnight_ms + 1000)

    days = [shanghai_day(midnight_ms + moved_ms) for moved_ms in (-1, 0)]
    assert [len(before), len(after)] == [20, 20]
    assert [read(daily_messages.find_used, anna.id, day) for day in days] == [20, 20]
    assert read(adds_up, anna.id) == wallets.Wallet(0, 0, 0, 0)


def test_of_two_hundred_at_once_twenty_are_free(pair: Pair, join: SignUp) -> None:
    anna = join()

    replies = decided(pair, [{"message": "at once"}] * 200, token=anna.token)

    lost = read(adds_up, anna.id).open_turns
    assert [one.data["charge"] for one in replies if one.status == 200] == [FREE] * (20 - lost)
    assert [one.status for one in replies if one.status != 200] == [402] * (180 + lost)
    assert read(adds_up, anna.id) == wallets.Wallet(0, 0, 0, lost)
