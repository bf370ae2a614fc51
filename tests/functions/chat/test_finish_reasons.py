"""Finish reasons under /v1: only OpenAI's words, and no cut answer that looks complete."""

import json
from typing import Any

import httpx
import pytest

from tests.fakes.upstream import PIECES, SENTENCE
from tests.fakes.vendor_refusals import FINISH_REASONS
from tests.functions.conftest import Pair, SignUp
from tests.people import Person
from tests.web import WebFunction, serving

PATH = "/v1/chat/completions"


@pytest.fixture
def anna(join: SignUp) -> Person:
    return join()


def ask(web: WebFunction, person: Person, name: str, *, streamed: bool) -> httpx.Response:
    """Each question has its own key, so that the next instance repeats the stored answer."""
    body = {"messages": [{"role": "user", "content": f"scenario: {name}"}], "stream": streamed}
    headers = {"Authorization": f"Bearer {person.token}", "Idempotency-Key": f"{name}-{streamed}"}
    return web.client.post(PATH, json=body, headers=headers)


def events_of(answer: httpx.Response) -> list[Any]:
    lines = [line.removeprefix("data: ") for line in answer.text.splitlines() if line]
    return [line if line == "[DONE]" else json.loads(line) for line in lines]


@pytest.mark.parametrize("word", FINISH_REASONS)
def test_the_words_of_vendors_become_openais_now_and_in_a_replay(
    word: str, pair: Pair, anna: Person
) -> None:
    expected = FINISH_REASONS[word]
    for web in pair:
        whole = ask(web, anna, f"finish-{word}", streamed=False).json()["choices"][0]
        streamed = events_of(ask(web, anna, f"finish-{word}", streamed=True))

        assert whole["message"]["content"] == SENTENCE
        assert whole["finish_reason"] == (expected or "length")
        if expected:
            assert streamed[-1] == "[DONE]"
            assert streamed[-2]["choices"][0]["finish_reason"] == expected
        else:
            assert streamed[-1]["error"]["code"] == "answer_interrupted"
            reasons = [one["choices"][0]["finish_reason"] for one in streamed[:-1]]
            assert set(reasons) == {None}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("error-later", "length"),
        ("closed-politely", "length"),
        ("filtered-zhipu-later", "content_filter"),
    ],
)
def test_a_whole_answer_that_broke_off_has_a_word_of_openai_too(
    name: str, expected: str, pair: Pair, anna: Person
) -> None:
    for web in pair:
        choice = ask(web, anna, name, streamed=False).json()["choices"][0]

        assert (choice["message"]["content"], choice["finish_reason"]) == (PIECES[0], expected)


def test_an_answer_of_a_stopped_instance_is_not_taken_for_a_complete_one(
    pair: Pair, anna: Person
) -> None:
    body = {"messages": [{"role": "user", "content": "scenario: endless"}], "stream": True}
    headers = {"Authorization": f"Bearer {anna.token}", "Idempotency-Key": "stopped"}
    with (
        serving("chat", **pair[0].variables) as web,
        web.client.stream("POST", PATH, json=body, headers=headers) as answer,
    ):
        lines = answer.iter_lines()
        next(line for line in lines if "滴答" in line)
        web.process.terminate()
        *_, last = (line for line in lines if line)
    replayed = events_of(pair[1].client.post(PATH, json=body, headers=headers))

    assert json.loads(last.removeprefix("data: ")) == replayed[-1]
    assert replayed[-1]["error"]["code"] == "answer_interrupted"
