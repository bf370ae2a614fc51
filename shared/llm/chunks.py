"""Events of one JSON document from an upstream. Does no I/O."""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal, TypeGuard

from shared.llm.events import Delta, Event, Finish, Reasoning, Refusal, Usage
from shared.llm.tool_calls import ToolCallReader

_LONGEST_REASON = 32  # the width of the column; no known reason is longer
_NO_REASON = ("", "null")  # some upstreams send these until there is a reason


def parse(text: str) -> dict[str, Any] | None:
    """Return a JSON object; anything else is a malformed line and None."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


Part = Literal["delta", "message"]


def events_in(document: Mapping[str, Any], calls: ToolCallReader, *parts: Part) -> Iterator[Event]:
    """Read a chunk (`delta`) or a whole completion (`message`): the first of the parts it has.

    `calls` has read the documents before this one. A field of the wrong type counts as
    absent: vendors send null, numbers and empty objects where the protocol has none.
    """
    choice = _first_choice(document.get("choices"))
    yield from _message_events(_first_part(choice, parts), calls)
    reason = _text(choice.get("finish_reason"))
    if reason not in _NO_REASON:
        yield Finish(reason[:_LONGEST_REASON])
    usage = _usage(document.get("usage")) or _usage(choice.get("usage"))
    if usage:
        yield usage


def _first_choice(choices: object) -> dict[str, Any]:
    """We ask for one choice; of several, only the first is the answer."""
    for choice in choices if isinstance(choices, list) else ():
        if isinstance(choice, dict) and not choice.get("index"):
            return choice
    return {}


def _first_part(choice: Mapping[str, Any], parts: Iterable[Part]) -> dict[str, Any]:
    for part in parts:
        if isinstance(message := choice.get(part), dict):
            return message
    return {}


def _message_events(message: Mapping[str, Any], calls: ToolCallReader) -> Iterator[Event]:
    """`function_call`, which `tool_calls` replaced, is left out: no request asks for it."""
    reasoning = _text(message.get("reasoning_content")) or _text(message.get("reasoning"))
    if reasoning:
        yield Reasoning(reasoning)
    if text := _text(message.get("content")):
        yield Delta(text)
    if refusal := _text(message.get("refusal")):
        yield Refusal(refusal)
    yield from calls.read(message.get("tool_calls"))


def _text(value: object) -> str:
    """Return a string, or the text of a list of content parts, as valid Unicode."""
    if isinstance(value, str):
        return value if value.isascii() else _valid(value)
    if isinstance(value, list):
        return "".join(_text(_part_text(part)) for part in value)
    return ""


def _valid(value: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError:  # a JSON escape of half a surrogate pair
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return value


def _part_text(part: object) -> object:
    text = part.get("text") if isinstance(part, dict) else part
    return text if isinstance(text, str) else ""


def _usage(usage: object) -> Usage | None:
    """The reported token counts; None where they are absent, malformed, or all zero.

    The total decides whether reasoning is part of the completion: xAI counts it beside
    (API reference, "Chat Completions"), others inside.
    """
    if not isinstance(usage, dict):
        return None
    prompt, completion = usage.get("prompt_tokens"), usage.get("completion_tokens")
    if not _is_count(prompt) or not _is_count(completion) or not prompt + completion:
        return None
    total = usage.get("total_tokens")
    if _is_count(total):
        completion = max(completion, total - prompt)
    return Usage(prompt, completion, min(_cached(usage), prompt))


def _cached(usage: Mapping[str, Any]) -> int:
    """Prompt tokens served from a cache, from OpenAI's field or DeepSeek's."""
    details = usage.get("prompt_tokens_details")
    reported = details.get("cached_tokens") if isinstance(details, dict) else None
    cached = reported if _is_count(reported) else usage.get("prompt_cache_hit_tokens")
    return cached if _is_count(cached) else 0


def _is_count(value: object) -> TypeGuard[int]:
    return type(value) is int and 0 <= value < 2**31
