"""Limits of an answer's output: what is delivered is what was reserved for."""

import json
from typing import Any

import pytest

from shared.database.transactions import read
from shared.llm.estimate import estimate_tokens
from tests.fakes.upstream import SENTENCE, Upstream
from tests.functions.chat.chatting import ask, hear
from tests.ledger_checks import adds_up
from tests.people import Person
from tests.web import WebFunction, serving


def complete(web: WebFunction, person: Person, name: str, max_tokens: int) -> dict[str, Any]:
    """Ask by the API of OpenAI; return the whole completion."""
    asked = [{"role": "user", "content": f"scenario: {name}"}]
    answer = web.client.post(
        "/v1/chat/completions",
        content=json.dumps({"messages": asked, "max_tokens": max_tokens}).encode(),
        headers={"Authorization": f"Bearer {person.token}"},
    )
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found


@pytest.mark.parametrize("name", ["flood-of-reasoning", "flood", "json-of-any-length"])
@pytest.mark.parametrize("max_tokens", [1, 50])
def test_an_upstream_that_ignores_the_limit_is_cut_off_there(
    name: str, max_tokens: int, metered: WebFunction, payer: Person, fake: Upstream
) -> None:
    whole = complete(metered, payer, name, max_tokens)

    [choice], usage = whole["choices"], whole["usage"]
    message = choice["message"]
    received = message.get("reasoning_content", "") + message["content"]
    assert choice["finish_reason"] == "length"
    assert usage["completion_tokens"] == estimate_tokens(received) == max_tokens
    prompt_tokens = estimate_tokens(f"scenario: {name}")
    reserved = -(-(prompt_tokens * 80 + max_tokens * 200) // 1000)
    assert read(adds_up, payer.id).balance_fen == 10_000 - reserved
    assert name == "json-of-any-length" or fake.wait_closed()


def test_a_streamed_answer_is_cut_off_as_well(
    metered: WebFunction, payer: Person, fake: Upstream
) -> None:
    with serving("chat", **{**metered.variables, "MAX_TOKENS": "130"}) as web:
        heard = hear(web, "scenario: flood-of-reasoning", token=payer.token)

    receipt = heard.last.data["charge"]["receipt"]
    assert (heard.last.name, heard.last.data["finish_reason"]) == ("done", "length")
    assert sum(len(one.data["text"]) for one in heard.events if one.name == "reasoning") == 130
    assert heard.last.data["charge"]["amount_fen"] == receipt["reserved_fen"]
    assert fake.wait_closed()


def test_a_message_of_one_price_is_cut_off_at_twice_the_limit(
    stored: WebFunction, payer: Person, fake: Upstream
) -> None:
    """Its price does not depend on the length, and the estimate may be twice the true count."""
    whole = complete(stored, payer, "flood", 50)

    [choice] = whole["choices"]
    assert choice["finish_reason"] == "length"
    assert estimate_tokens(choice["message"]["content"]) == 100
    assert fake.wait_closed()


def test_an_answer_within_the_limit_is_left_alone(metered: WebFunction, payer: Person) -> None:
    whole = complete(metered, payer, "plain", estimate_tokens(SENTENCE))

    assert whole["choices"][0]["message"]["content"] == SENTENCE
    assert whole["choices"][0]["finish_reason"] == "stop"
    assert ask(metered, token=payer.token).data["finish_reason"] == "stop"
