"""The rule of charging: whatever was received is settled, an empty answer is free."""

from typing import Any

import pytest

from shared.database.transactions import read
from shared.llm.estimate import estimate_tokens
from shared.pricing import Tokens, amount_fen
from shared.repos import wallets
from tests.fakes.upstream import COMPLETION_TOKENS, SENTENCE, THOUGHT, Upstream
from tests.functions.chat.chatting import (
    ask,
    events_of,
    hear,
    message_id_of,
    open_stream,
    pieces_of,
    stop,
)
from tests.functions.wallets import PER_TOKEN
from tests.ledger_checks import adds_up
from tests.people import Person
from tests.web import WebFunction


def stopped_in_reasoning(web: WebFunction, person: Person, events: int) -> dict[str, Any]:
    """Stop an answer after so many events of reasoning; return the data of its last event."""
    with open_stream(web, "scenario: endless-reasoning", token=person.token) as answer:
        heard, pieces = b"", pieces_of(answer)
        while heard.count(b"event: reasoning") < events:
            heard += next(pieces)
        assert stop(web, message_id_of(heard), token=person.token) == 200
        heard += b"".join(pieces)
    return events_of(heard)[-1].data


def test_a_stop_during_the_reasoning_is_charged(stored: WebFunction, payer: Person) -> None:
    last = stopped_in_reasoning(stored, payer, 3)

    assert (last["finish_reason"], last["charge"]["amount_fen"]) == ("stopped", 100)
    assert read(adds_up, payer.id) == wallets.Wallet(9_900, 0, 2, 0)


@pytest.mark.parametrize(
    ("name", "amount_fen"),
    [
        ("only-reasoning-and-stop", 100),
        ("only-a-tool-call", 100),
        ("error-after-reasoning", 100),
        ("no-text-but-a-reason", 0),
        ("error-first", 0),
        ("empty", 0),
    ],
)
def test_whatever_came_is_charged_and_nothing_is_free(
    name: str, amount_fen: int, stored: WebFunction, payer: Person
) -> None:
    charge = hear(stored, f"scenario: {name}", token=payer.token).last.data["charge"]

    assert charge["amount_fen"] == amount_fen
    assert read(adds_up, payer.id).balance_fen == 10_000 - amount_fen


@pytest.mark.parametrize(
    ("name", "completion_tokens"),
    [
        ("reasoning-counted-beside", 37),
        ("reasoning-counted-inside", COMPLETION_TOKENS),
        ("shrinking-usage", 40),
        ("zero-usage", estimate_tokens(SENTENCE)),
        ("error-after-reasoning", estimate_tokens(THOUGHT)),
    ],
)
def test_all_output_tokens_are_charged_and_each_once(
    name: str, completion_tokens: int, metered: WebFunction, payer: Person
) -> None:
    charge = hear(metered, f"scenario: {name}", token=payer.token).last.data["charge"]

    receipt = charge["receipt"]
    assert receipt["completion_tokens"] == completion_tokens
    tokens = Tokens(receipt["prompt_tokens"], completion_tokens)
    assert charge["amount_fen"] == amount_fen(PER_TOKEN, tokens)
    assert read(adds_up, payer.id).balance_fen == 10_000 - charge["amount_fen"]


def test_a_stop_during_the_reasoning_pays_for_the_reasoning(
    metered: WebFunction, payer: Person
) -> None:
    receipt = stopped_in_reasoning(metered, payer, 3)["charge"]["receipt"]

    assert receipt["completion_tokens"] >= 3 * estimate_tokens("思考")


def test_an_answer_that_was_charged_is_no_error_for_who_waited_for_all_of_it(
    stored: WebFunction, payer: Person
) -> None:
    reply = ask(stored, "scenario: error-after-reasoning", token=payer.token)

    assert (reply.status, reply.data["reply"], reply.data["error"]) == (200, "", "upstream_error")
    assert reply.data["charge"]["amount_fen"] == 100


def test_an_answer_of_reasoning_alone_is_no_context_of_the_next_question(
    stored: WebFunction, payer: Person, fake: Upstream
) -> None:
    first = ask(stored, "scenario: only-reasoning-and-stop", token=payer.token).data
    conversation_id = first["conversation_id"]
    assert ask(stored, "go on", token=payer.token, conversation_id=conversation_id).status == 200

    _, *sent = fake.requests[-1].json["messages"]
    assert [one["content"] for one in sent] == ["scenario: only-reasoning-and-stop", "go on"]
