"""Parts of tool calls as text: one JSON line for each, so that texts can be joined.

Does no I/O.
"""

import json
from dataclasses import asdict, replace

from shared.llm.events import ToolCall


def line_of(call: ToolCall) -> str:
    return json.dumps(asdict(call), ensure_ascii=False, separators=(",", ":")) + "\n"


def calls_in(lines: str) -> list[ToolCall]:
    return [ToolCall(**json.loads(line)) for line in lines.split("\n") if line]


def joined(calls: list[ToolCall]) -> list[ToolCall]:
    """Whole calls, in the order of their numbers."""
    parts: dict[int, list[ToolCall]] = {}
    for call in calls:
        parts.setdefault(call.index, []).append(call)
    return [_whole(parts[index]) for index in sorted(parts)]


def _whole(parts: list[ToolCall]) -> ToolCall:
    """All texts are joined at once: one after the other takes the square of the time."""
    return ToolCall(
        parts[0].index,
        next((part.id for part in parts if part.id), ""),
        "".join(part.name for part in parts),
        "".join(part.arguments for part in parts),
    )


def continued(call: ToolCall, part: ToolCall) -> ToolCall:
    arguments = call.arguments + part.arguments
    return replace(call, id=call.id or part.id, name=call.name + part.name, arguments=arguments)


def output_in(kind: str, text: str) -> str:
    """The output of the model in a stored chunk."""
    return "".join(call.text for call in calls_in(text)) if kind == "tool_calls" else text
