"""Event streams that the strictest readers can read: short lines, and no other line ends."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.fakes.upstream_scenarios import HUGE, LINE_ENDS
from tests.functions.chat.chatting import hear, watch
from tests.functions.conftest import Pair, SignUp
from tests.people import Person
from tests.web import WebFunction, serving

LONGEST_LINE_BYTES = 32 * 1024
TEXTS = {"line-ends": LINE_ENDS, "huge-delta": HUGE}
Read = list[tuple[str, dict[str, Any]]]


@pytest.fixture
def anna(join: SignUp) -> Person:
    return join()


@pytest.fixture(scope="module")
def generous(pair: Pair) -> Iterator[WebFunction]:
    """An instance that lets an answer grow."""
    with serving("chat", **{**pair[0].variables, "MAX_TOKENS": "1000000"}) as web:
        yield web


def read(body: bytes) -> Read:
    """The ids and documents of a stream. Python splits lines at more characters than any other."""
    found, last_id = Read(), ""
    for line in body.decode().splitlines():
        assert len(line.encode()) <= LONGEST_LINE_BYTES
        field, _, value = line.partition(": ")
        assert field in {"id", "event", "data", ""}, line[:100]
        if field == "id":
            last_id = value
        elif field == "data" and value != "[DONE]":
            found.append((last_id, json.loads(value)))
    return found


def asked_of_v1(web: WebFunction, person: Person, name: str) -> bytes:
    body = {"messages": [{"role": "user", "content": f"scenario: {name}"}], "stream": True}
    headers = {"Authorization": f"Bearer {person.token}", "Idempotency-Key": name}
    return web.client.post("/v1/chat/completions", json=body, headers=headers).content


@pytest.mark.parametrize("name", TEXTS)
def test_a_stream_and_its_replay_have_short_lines_under_v1(
    name: str, generous: WebFunction, anna: Person
) -> None:
    for _ in range(2):
        events = [document for _, document in read(asked_of_v1(generous, anna, name))]

        deltas = [one["choices"][0]["delta"] for one in events]
        assert "".join(one.get("content", "") for one in deltas) == TEXTS[name]


@pytest.mark.parametrize("name", TEXTS)
def test_our_stream_has_short_lines_and_goes_on_after_each_of_them(
    name: str, generous: WebFunction, anna: Person
) -> None:
    events = read(hear(generous, f"scenario: {name}", token=anna.token).body)
    message_id = events[0][1]["message_id"]

    texts = [one.get("text", "") for _, one in events]
    for number, (last_id, _) in list(enumerate(events))[1::2]:
        with watch(generous, message_id, token=anna.token, last_event_id=last_id) as answer:
            rest = read(answer.read())
        assert "".join(one.get("text", "") for _, one in rest) == "".join(texts[number + 1 :])
    said = "".join(texts)
    assert said == (LINE_ENDS * 2 if name == "line-ends" else HUGE)
