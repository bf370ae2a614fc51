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
    whole: dict[int, ToolCall] = {}
    for call in calls:
        known = whole.get(call.index)
        whole[call.index] = continued(known, call) if known else call
    return [whole[index] for index in sorted(whole)]


def continued(call: ToolCall, part: ToolCall) -> ToolCall:
    arguments = call.arguments + part.arguments
    return replace(call, id=call.id or part.id, name=call.name + part.name, arguments=arguments)


def output_in(kind: str, text: str) -> str:
    """The output of the model in a stored chunk."""
    return "".join(call.text for call in calls_in(text)) if kind == "tool_calls" else text
