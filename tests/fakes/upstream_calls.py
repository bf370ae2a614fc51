"""Answers of the fake upstream that call tools, in the variants of real upstreams."""

import json

from tests.fakes.upstream_scenarios import (
    COUNTED,
    DONE,
    OPENING,
    PLAIN,
    SCENARIOS,
    WORDS,
    chunk,
    completion,
    event,
    said,
    scenario,
    streamed,
    whole,
)
from tests.fakes.upstream_wire import Wire

_OTHERS = frozenset(SCENARIOS)
NONSENSE = ("7", '"x"', "{}", "[7, null]", "[{}]", '[{"function": 7}]')


def calling(*parts: object, **more: object) -> bytes:
    """A chunk with parts of tool calls."""
    return chunk({"tool_calls": list(parts)}, **more)


def call_part(index: int | None, arguments: object, **more: object) -> dict[str, object]:
    """A part of a tool call; `id` and `name` as the upstream would send them."""
    name = {"name": more.pop("name")} if "name" in more else {}
    numbered = {} if index is None else {"index": index}
    return {**numbered, **more, "function": {**name, "arguments": arguments}}


ARGUMENTS = ('{"city": ', '"杭州"', "}")
CITY, HOUR = {"name": "weather", "id": "call_1"}, {"name": "clock", "id": "call_2"}
CALLS = (
    OPENING,
    calling(call_part(0, "", type="function", **CITY)),
    *[calling(call_part(0, text)) for text in ARGUMENTS],
    calling(call_part(1, "{}", type="function", **HOUR)),
    chunk({}, "tool_calls"),
    COUNTED,
    DONE,
)
streamed("calls", *CALLS)
streamed("calls-after-text", OPENING, WORDS[0], *CALLS[1:])
streamed("calls-cut", *CALLS[:4], event({"error": {"message": "No.", "code": "bad"}}))
streamed(
    "calls-with-everything-repeated",
    *[calling(call_part(0, text, type="function", **CITY)) for text in ARGUMENTS],
    calling(call_part(1, "{}", **HOUR)),
    *CALLS[-3:],
)
streamed(
    "calls-without-indexes",
    calling(call_part(None, ARGUMENTS[0], **CITY)),
    *[calling(call_part(None, text, id="")) for text in ARGUMENTS[1:]],
    calling(call_part(None, {}, **HOUR)),
    *CALLS[-3:],
)
streamed(
    "calls-with-one-index",
    calling(call_part(0, "".join(ARGUMENTS), **CITY)),
    calling(call_part(0, "{}", **HOUR)),
    *CALLS[-3:],
)
streamed(
    "calls-of-nonsense",
    *[chunk({"tool_calls": json.loads(x)}) for x in NONSENSE],
    calling(call_part(0, 7, id=7, name=7)),
    calling(call_part(0, None, name=None)),
    *CALLS[1:],
)
streamed("calls-without-ids", calling(call_part(0, "{}", name="clock")), *CALLS[-3:])
streamed(
    "calls-by-function-call", chunk({"function_call": {"name": "clock", "arguments": "{}"}}), *PLAIN
)
WHOLE_CALLS = {
    "content": None,
    "tool_calls": [
        call_part(None, "".join(ARGUMENTS), type="function", **CITY),
        call_part(None, "{}", type="function", **HOUR),
    ],
}
streamed("structured", said('{"city": '), said('"杭州"}'), chunk({}, "stop"), COUNTED, DONE)
whole("json-calls", 200, completion(WHOLE_CALLS).replace('"stop"', '"tool_calls"'))


@scenario("use-tools")
async def _(wire: Wire) -> None:
    """Call the tools first; then answer with the last result."""
    last = wire.request.json["messages"][-1]
    await wire.head()
    if last["role"] == "tool":
        await wire.send(said(last["content"]), chunk({}, "stop"), COUNTED, DONE)
    else:
        await wire.send(*CALLS)
    await wire.end()


CALL_SCENARIOS = frozenset(SCENARIOS) - _OTHERS
