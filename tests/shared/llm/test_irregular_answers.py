"""Irregular answers of upstreams over a real socket, and the expected results."""

import pytest

from shared.llm.events import Delta, Event, Finish, Reasoning, Refusal, ToolCall, Usage
from tests.fakes.upstream import (
    CACHED_TOKENS,
    COMPLETION_TOKENS,
    PIECES,
    PROMPT_TOKENS,
    SENTENCE,
    THOUGHT,
    Upstream,
)
from tests.fakes.upstream_calls import ARGUMENTS
from tests.shared.llm.asking import ANSWER, COUNTED, STOPPED, ask, patient_with, scenario

THOUGHT_FIRST = Reasoning(THOUGHT)
CALLED = [
    ToolCall(0, "call_1", "weather"),
    *[ToolCall(0, arguments=part) for part in ARGUMENTS],
    ToolCall(1, "call_2", "clock", "{}"),
]
REPEATED = ToolCall(0, "call_1", "weather", ARGUMENTS[0])
WEATHER = ToolCall(0, "call_1", "weather", "".join(ARGUMENTS))
CALLING = Finish("tool_calls")
AS_IF_NOTHING_WERE_ODD: list[Event] = [*ANSWER, COUNTED, STOPPED]

ODD_AND_COMPLETE = {
    "plain": "a stream as documented",
    "one-segment": "everything arrives at once",
    "crlf": "lines end with CRLF",
    "crlf-split": "CR and LF arrive apart",
    "lone-cr": "lines end with CR",
    "no-space": "no space after data:",
    "split-characters": "characters are split between TCP segments",
    "byte-order-mark": "the stream begins with a byte order mark",
    "comments": "comments between the events",
    "fields": "event, id, retry and unknown fields",
    "data-lines": "one event on several data lines",
    "single-newlines": "no blank lines between the events",
    "single-crlf": "no blank lines between events that end with CRLF",
    "no-done": "no [DONE]",
    "no-last-blank-line": "the last event lacks its blank line",
    "after-done": "data after [DONE]",
    "no-finish-reason": "[DONE] without a finish reason",
    "blank-finish-reasons": "an empty finish reason in each chunk",
    "choice-usage": "usage inside the choice",
    "null-usage": "usage null until the end",
    "choices-null": "choices null",
    "delta-null": "delta null",
    "content-null": "content null",
    "other-choices": "a second choice nobody asked for",
    "opens-like-html": "a first line that looks like HTML",
    "malformed-lines": "lines that are no JSON, no field, no UTF-8",
    "wrong-types": "values of the wrong type everywhere",
    "typed-as-json": "a stream that calls itself JSON",
    "compressed": "a stream compressed against our wish",
    "no-end-after-done": "nothing ends the body after [DONE]",
    "pings-before-the-answer": "comments keep a slow answer alive",
}


@pytest.mark.parametrize("name", ODD_AND_COMPLETE, ids=list(ODD_AND_COMPLETE.values()))
def test_the_answer_is_complete_although(name: str, fake: Upstream) -> None:
    heard = ask(patient_with(name, fake.url), scenario(name))

    assert (list(heard), heard.error) == (AS_IF_NOTHING_WERE_ODD, None)


EXPECTED: dict[str, list[Event]] = {
    "no-usage": [*ANSWER, STOPPED],
    "early-usage": [*ANSWER, COUNTED, STOPPED],
    "growing-usage": [ANSWER[0], Usage(11, 1), *ANSWER[1:], COUNTED, STOPPED],
    "content-parts": [Delta(PIECES[0] + PIECES[1]), ANSWER[2], COUNTED, STOPPED],
    "half-character": [Delta("😀, \ufffd"), STOPPED],
    "reasoning": [THOUGHT_FIRST, *ANSWER, COUNTED, STOPPED],
    "reasoning-alias": [THOUGHT_FIRST, *ANSWER, COUNTED, STOPPED],
    "only-reasoning-and-stop": [THOUGHT_FIRST, STOPPED],
    "no-text-but-a-reason": [Finish("content_filter")],
    "cut-after-finish": [*ANSWER, STOPPED],
    "silence-after-finish": [*ANSWER, STOPPED],
    "completion-as-event": [Delta(SENTENCE), COUNTED, STOPPED],
    "completion-as-event-without-done": [Delta(SENTENCE), COUNTED, STOPPED],
    "completion-repeats-deltas": [*ANSWER, COUNTED, STOPPED],
    "refusal": [*map(Refusal, PIECES), STOPPED],
    "json-refusal": [Refusal(SENTENCE), COUNTED, STOPPED],
    "only-a-tool-call": [ToolCall(0, "t", "clock", '{"a": 1}'), Finish("tool_calls")],
    "calls": [*CALLED, COUNTED, CALLING],
    "calls-after-text": [ANSWER[0], *CALLED, COUNTED, CALLING],
    "calls-with-everything-repeated": [REPEATED, *CALLED[2:], COUNTED, CALLING],
    "calls-without-indexes": [REPEATED, *CALLED[2:], COUNTED, CALLING],
    "calls-with-one-index": [WEATHER, CALLED[-1], COUNTED, CALLING],
    "calls-of-nonsense": [*CALLED, COUNTED, CALLING],
    "calls-by-function-call": AS_IF_NOTHING_WERE_ODD,
    "json-calls": [WEATHER, CALLED[-1], COUNTED, CALLING],
    "endless-text": [*[Delta("很" * 100_000)] * 5, Delta("很" * 24_288), Finish("length")],
    "json": [Delta(SENTENCE), COUNTED, STOPPED],
    "json-after-blank-lines": [Delta(SENTENCE), COUNTED, STOPPED],
    "json-typed-as-stream": [Delta(SENTENCE), COUNTED, STOPPED],
    "json-without-reason": [Delta(SENTENCE), COUNTED, STOPPED],
    "json-reasoning": [THOUGHT_FIRST, Delta(SENTENCE), COUNTED, STOPPED],
}


@pytest.mark.parametrize("name", EXPECTED)
def test_the_answer_has_exactly_these_events(name: str, fake: Upstream) -> None:
    heard = ask(patient_with(name, fake.url), scenario(name))

    assert (list(heard), heard.error) == (EXPECTED[name], None)


def test_a_call_without_an_id_gets_one_of_its_own(fake: Upstream) -> None:
    ids = set()
    for _ in range(2):
        call = ask(patient_with("plain", fake.url), scenario("calls-without-ids"))[0]
        assert isinstance(call, ToolCall)
        assert (call.index, call.name, call.arguments) == (0, "clock", "{}")
        ids.add(call.id)

    assert len(ids) == 2
    assert all(one.startswith("call_") for one in ids)


@pytest.mark.parametrize(
    ("name", "cached_tokens"),
    [
        ("plain", 0),
        ("cached", CACHED_TOKENS),
        ("cached-alias", CACHED_TOKENS),
        ("cached-nonsense", 0),
        ("cached-too-much", PROMPT_TOKENS),
    ],
)
def test_how_much_of_the_prompt_came_from_a_cache_is_heard(
    name: str, cached_tokens: int, fake: Upstream
) -> None:
    heard = ask(patient_with(name, fake.url), scenario(name))

    assert heard[-2] == Usage(PROMPT_TOKENS, COMPLETION_TOKENS, cached_tokens)
