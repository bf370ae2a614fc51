"""The message of an answer, whole or as deltas, as OpenAI's API words it."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import groupby
from typing import Any

from shared.llm.call_lines import calls_in, joined
from shared.llm.events import ToolCall
from shared.repos.answer_chunks import AnswerChunk
from shared.web import sse

_FIELDS = {"text": "content", "reasoning": "reasoning_content", "refusal": "refusal"}


def message_json(chunks: Iterable[AnswerChunk]) -> dict[str, object]:
    """`content` is null if there is a refusal or a tool call and no text."""
    texts = dict.fromkeys((*_FIELDS, "tool_calls"), "")
    for kind, text in _runs(chunks):
        texts[kind] += text
    calls = joined(calls_in(texts["tool_calls"]))
    has_other = bool(calls or texts["refusal"])
    message: dict[str, object] = {
        "role": "assistant",
        "content": texts["text"] or (None if has_other else ""),
        "refusal": texts["refusal"] or None,
    }
    if texts["reasoning"]:
        message["reasoning_content"] = texts["reasoning"]
    if calls:
        message["tool_calls"] = [_call_json(call) for call in calls]
    return message


def deltas_json(chunks: Iterable[AnswerChunk]) -> Iterator[dict[str, object]]:
    """One delta for each run of chunks of one kind, and for each run of parts of one tool call.

    A long one is several deltas, because readers limit the length of a line.
    """
    for kind, text in _runs(chunks):
        if kind != "tool_calls":
            for part in sse.parts(text):
                yield {_FIELDS[kind]: part}
            continue
        for index, parts in groupby(calls_in(text), lambda call: call.index):
            for call in joined(list(parts)):
                for fields in _parts_json(call):
                    yield {"tool_calls": [{"index": index, **fields}]}


def _runs(chunks: Iterable[AnswerChunk]) -> Iterator[tuple[str, str]]:
    for kind, run in groupby(chunks, lambda chunk: chunk.kind):
        yield kind, "".join(chunk.text for chunk in run)


def _call_json(call: ToolCall) -> dict[str, object]:
    function = {"name": call.name, "arguments": call.arguments}
    return {"id": call.id, "type": "function", "function": function}


def _parts_json(call: ToolCall) -> Iterator[dict[str, Any]]:
    """The first part of a call has its id; the others only have more of the arguments."""
    first, *more = list(sse.parts(call.arguments)) or [""]
    if call.id:
        yield _call_json(replace(call, arguments=first))
    else:
        name = {"name": call.name} if call.name else {}
        yield {"function": {**name, "arguments": first}}
    for arguments in more:
        yield {"function": {"arguments": arguments}}
