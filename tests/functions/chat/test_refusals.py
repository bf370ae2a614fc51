"""Refusals of vendors at both doors: their names and statuses, and how often SDKs ask again."""

import json
from typing import Any

import httpx
import openai
import pytest
from openai import OpenAI

from shared.database.transactions import read
from shared.errors import (
    ContentFiltered,
    ContextLengthExceeded,
    UpstreamFailed,
    UpstreamMisconfigured,
    UpstreamRejected,
)
from tests.fakes.upstream import PIECES, Upstream
from tests.functions.chat.chatting import ask, hear
from tests.functions.conftest import Pair, SignUp
from tests.people import Person
from tests.web import WebFunction

# A refusal of each kind as an HTTP error or as the first event, and after the first word.
BEFORE_THE_FIRST_WORD: dict[str, type[UpstreamFailed]] = {
    "too-long-openai": ContextLengthExceeded,
    "filtered-dashscope": ContentFiltered,
    "rejected-mistral": UpstreamRejected,
    "misconfigured-402-zhipu": UpstreamMisconfigured,
    "too-long-vllm-first": ContextLengthExceeded,
    "filtered-moonshot-first": ContentFiltered,
    "misconfigured-401-gemini-first": UpstreamMisconfigured,
}
LATER: dict[str, type[UpstreamFailed]] = {
    "filtered-ark-output-later": ContentFiltered,
    "filtered-zhipu-later": ContentFiltered,
    "rejected-vllm-later": UpstreamRejected,
}


@pytest.fixture
def anna(sign_up: SignUp) -> Person:
    return sign_up()


def patient_sdk(web: WebFunction, person: Person) -> OpenAI:
    """With the default of the SDK: two more attempts if a failure may pass."""
    return OpenAI(base_url=f"{web.base}/v1", api_key=person.token)


def question(name: str) -> list[Any]:
    return [{"role": "user", "content": f"scenario: {name}"}]


@pytest.mark.parametrize("name", BEFORE_THE_FIRST_WORD)
def test_our_api_names_a_refusal_before_the_first_word(
    name: str, stored: WebFunction, anna: Person
) -> None:
    expected = BEFORE_THE_FIRST_WORD[name]

    whole = ask(stored, f"scenario: {name}", token=anna.token)
    streamed = hear(stored, f"scenario: {name}", token=anna.token).last

    assert (whole.status, whole.error) == (expected.status, expected.name)
    assert streamed.data["error"] == expected.name
    assert streamed.data["retryable"] is False


@pytest.mark.parametrize("name", LATER)
def test_our_api_names_a_refusal_in_the_middle(
    name: str, stored: WebFunction, anna: Person
) -> None:
    whole = ask(stored, f"scenario: {name}", token=anna.token)
    streamed = hear(stored, f"scenario: {name}", token=anna.token)

    assert (whole.status, whole.data["reply"]) == (200, PIECES[0])
    assert whole.data["error"] == LATER[name].name
    assert (streamed.text, streamed.last.data["error"]) == (PIECES[0], LATER[name].name)
    assert streamed.last.data["retryable"] is False


@pytest.mark.parametrize("name", BEFORE_THE_FIRST_WORD)
def test_an_sdk_does_not_ask_again_what_is_refused_for_good(
    name: str, stored: WebFunction, anna: Person, fake: Upstream
) -> None:
    expected = BEFORE_THE_FIRST_WORD[name]
    with pytest.raises(openai.APIStatusError) as refused:
        patient_sdk(stored, anna).chat.completions.create(
            model="test-model", messages=question(name)
        )

    assert (refused.value.status_code, refused.value.code) == (expected.status, expected.name)
    assert refused.value.response.headers["x-should-retry"] == "false"
    assert len(fake.requests) == 1


@pytest.mark.parametrize("name", LATER)
def test_an_sdk_that_streams_hears_of_a_refusal_in_the_middle(
    name: str, stored: WebFunction, anna: Person
) -> None:
    said = list[str]()
    stream = patient_sdk(stored, anna).chat.completions.create(
        model="test-model", messages=question(name), stream=True
    )
    with pytest.raises(openai.APIError) as refused:
        said.extend(chunk.choices[0].delta.content or "" for chunk in stream)

    assert ("".join(said), refused.value.code) == (PIECES[0], LATER[name].name)


@pytest.mark.parametrize("name", LATER)
def test_a_refusal_in_the_middle_is_the_same_when_it_is_replayed(
    name: str, pair: Pair, join: SignUp
) -> None:
    token, key = join().token, {"Idempotency-Key": name}

    told = [
        hear(web, f"scenario: {name}", token=token, headers=key).last.data["error"] for web in pair
    ]

    assert told == [LATER[name].name] * 2


def test_what_is_refused_for_good_costs_nothing_and_is_recorded_by_its_name(
    stored: WebFunction, anna: Person
) -> None:
    for name in ("filtered-dashscope", "misconfigured-404-zhipu"):
        ask(stored, f"scenario: {name}", token=anna.token)

    calls = read(
        lambda db: db.find_all(
            lambda outcome, state: (outcome, state),
            """
            SELECT a.outcome, t.state FROM upstream_attempts AS a
            JOIN turns AS t ON t.message_id = a.message_id
            WHERE t.user_id = :id ORDER BY a.at_ms
            """,
            id=anna.id,
        )
    )
    assert calls == [
        ("content_filtered", "released"),
        ("upstream_misconfigured:404", "released"),
    ]


def test_no_word_of_the_vendor_reaches_the_client(stored: WebFunction, anna: Person) -> None:
    body = {"messages": question("filtered-azure")}
    answer = stored.client.post(
        "/v1/chat/completions", json=body, headers={"Authorization": f"Bearer {anna.token}"}
    )

    assert answer.status_code == 400
    assert told_of(answer) == {
        "message": ContentFiltered.en,
        "type": "invalid_request_error",
        "param": None,
        "code": "content_filtered",
    }


def told_of(answer: httpx.Response) -> Any:
    return json.loads(answer.content)["error"]
