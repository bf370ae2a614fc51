"""The head of a stream under /v1 waits for the first word: a failure before it has its status."""

import http.client
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import openai
import pytest
from openai import OpenAI

from shared.database.transactions import read
from tests.fakes import upstream
from tests.fakes.upstream import SENTENCE, Upstream
from tests.functions.chat.chatting import open_stream, pieces_of
from tests.functions.conftest import Pair, SignUp
from tests.patience import HANG_SECONDS
from tests.people import Person
from tests.web import WebFunction, eventually, serving

BEFORE_THE_FIRST_WORD = {
    "retry-after": (503, "upstream_busy", "true"),
    "error-busy": (503, "upstream_busy", "true"),
    "closed-at-once": (502, "upstream_error", "true"),
    "empty": (502, "upstream_error", "true"),
    "filtered-zhipu-first": (400, "content_filtered", "false"),
    "too-long-openai": (400, "context_length_exceeded", "false"),
    "status-401": (503, "upstream_misconfigured", "false"),
}
PATH = "/v1/chat/completions"


@pytest.fixture
def anna(join: SignUp) -> Person:
    return join()


def asked(name: str) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": f"scenario: {name}"}], "stream": True}


def signed(person: Person, **more: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {person.token}", "Content-Type": "application/json", **more}


@contextmanager
def another_instance(pair: Pair, **given: str) -> Iterator[tuple[WebFunction, Upstream]]:
    """An instance with an upstream that only it uses."""
    with (
        upstream.running() as own,
        serving("chat", **{**pair[0].variables, "OPENAI_API_URL": own.url, **given}) as web,
    ):
        yield web, own


@pytest.mark.parametrize("name", BEFORE_THE_FIRST_WORD)
def test_a_failure_before_the_first_word_is_an_http_error_each_time(
    name: str, pair: Pair, anna: Person
) -> None:
    """The second request with the key is a new attempt, because the first gave the key back."""
    headers = signed(anna, **{"Idempotency-Key": name})

    answers = [web.client.post(PATH, json=asked(name), headers=headers) for web in pair]

    told = [
        (one.status_code, one.json()["error"]["code"], one.headers["x-should-retry"])
        for one in answers
    ]
    assert told == [BEFORE_THE_FIRST_WORD[name]] * 2
    assert {one.headers["content-type"] for one in answers} == {"application/json; charset=utf-8"}
    if name == "retry-after":
        assert [one.headers["retry-after"] for one in answers] == ["1", "1"]


def test_the_sdk_raises_where_it_asks_for_the_stream(pair: Pair, anna: Person) -> None:
    client = OpenAI(base_url=f"{pair[0].base}/v1", api_key=anna.token, max_retries=0)

    with pytest.raises(openai.BadRequestError) as refused:
        client.chat.completions.create(model="test-model", **asked("filtered-zhipu"))

    assert refused.value.code == "content_filtered"


def test_an_upstream_that_is_slow_holds_up_the_head_only_for_a_while(
    pair: Pair, anna: Person
) -> None:
    """The upstream answers after the head has come, and so cannot be what brought it."""
    with (
        another_instance(pair, STREAM_HEAD_SECONDS="1") as (web, fake),
        httpx.stream(
            *("POST", web.base + PATH),
            json=asked("held"),
            headers=signed(anna),
            timeout=HANG_SECONDS,
        ) as answer,
    ):
        lines = answer.iter_lines()
        first = next(lines)
        fake.released.set()
        rest = [json.loads(line[6:]) for line in lines if line.startswith("data: {")]

    assert answer.status_code == 200
    assert '"role":"assistant"' in first
    assert "".join(one["choices"][0]["delta"].get("content", "") for one in rest) == SENTENCE


def test_a_failure_after_such_a_head_is_an_event(pair: Pair, anna: Person) -> None:
    limits = {"UPSTREAM_FIRST_BYTE_SECONDS": "2", "STREAM_HEAD_SECONDS": "1"}
    with another_instance(pair, **limits) as (web, _):
        answer = web.client.post(PATH, json=asked("silence"), headers=signed(anna))

    *_, last = (line for line in answer.text.splitlines() if line.startswith("data: "))
    assert answer.status_code == 200
    assert json.loads(last[6:])["error"]["code"] == "upstream_timeout"


def test_the_head_may_be_sent_at_once(pair: Pair, anna: Person) -> None:
    with another_instance(pair, STREAM_HEAD_SECONDS="0") as (web, _):
        answer = web.client.post(PATH, json=asked("status-400"), headers=signed(anna))

    assert (answer.status_code, "upstream_rejected" in answer.text) == (200, True)


def test_a_client_that_disconnects_before_the_head_has_left(pair: Pair, anna: Person) -> None:
    limits = {"UPSTREAM_FIRST_BYTE_SECONDS": "600", "ON_DISCONNECT": "cancel"}
    with another_instance(pair, **limits) as (web, fake):
        client = http.client.HTTPConnection("127.0.0.1", web.port, timeout=HANG_SECONDS)
        client.request("POST", PATH, json.dumps(asked("silence")), signed(anna))
        assert fake.wait_until(lambda: bool(fake.requests))
        client.close()

        assert fake.wait_closed()
        assert eventually(lambda: states_of(anna)) == ["released"]


def states_of(person: Person) -> list[str]:
    """The states of the person's turns that have ended."""
    return read(
        lambda db: db.find_all(
            lambda state: str(state),
            "SELECT state FROM turns WHERE user_id = :id AND state <> 'open'",
            id=person.id,
        )
    )


def test_our_own_api_sends_its_start_at_once(pair: Pair, anna: Person) -> None:
    with (
        another_instance(pair) as (web, fake),
        open_stream(web, "scenario: held", token=anna.token) as answer,
    ):
        pieces = pieces_of(answer)
        assert b"event: start" in next(pieces)
        fake.released.set()
        assert b"event: done" in b"".join(pieces)
