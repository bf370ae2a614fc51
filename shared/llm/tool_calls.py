"""Tool calls of an upstream, as parts with our own numbers. Does no I/O."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from shared.ids import new_id
from shared.llm.events import ToolCall


@dataclass
class _Call:
    """A call that has begun: the upstream's id for it, and the name so far.

    It has a number as soon as a part of it was sent.
    """

    id: str
    name: str = ""
    index: int | None = None


class ToolCallReader:
    """Reads the `tool_calls` of one answer, in all their variants.

    Clients join the parts of a call, so its id and its name must come once. Upstreams repeat
    them in each part, leave out the index or the id, send one index for several calls, or
    send arguments as an object. A call without an id gets one.
    """

    def __init__(self) -> None:
        self._by_id: dict[str, _Call] = {}
        self._by_index: dict[int, _Call] = {}
        self._last: _Call | None = None
        self._sent = 0

    def read(self, parts: object) -> Iterator[ToolCall]:
        for part in parts if isinstance(parts, list) else ():
            function = part.get("function") if isinstance(part, dict) else None
            if isinstance(function, dict):
                yield from self._part(part, function)

    def _part(self, part: dict[str, Any], function: dict[str, Any]) -> Iterator[ToolCall]:
        name, arguments = _text(function.get("name")), _arguments(function.get("arguments"))
        call = self._call_of(part.get("index"), _text(part.get("id")), name)
        new_name = "" if name == call.name else name
        call.name += new_name
        if not new_name and not arguments:
            return
        if call.index is not None:
            yield ToolCall(call.index, "", new_name, arguments)
            return
        call.index, self._sent = self._sent, self._sent + 1
        yield ToolCall(call.index, call.id or f"call_{new_id()}", new_name, arguments)

    def _call_of(self, index: object, call_id: str, name: str) -> _Call:
        """The call that a part belongs to, or a new one."""
        call = self._by_id.get(call_id) or self._numbered(index, call_id)
        if call is None and type(index) is not int and not call_id and not name:
            call = self._last
        self._last = call = call or _Call(call_id)
        call.id = call.id or call_id
        if call_id:
            self._by_id[call_id] = call
        if type(index) is int:
            self._by_index[index] = call
        return call

    def _numbered(self, index: object, call_id: str) -> _Call | None:
        """The call with the upstream's number; another id under that number is another call."""
        call = self._by_index.get(index) if type(index) is int else None
        return call if call and (not call_id or not call.id) else None


def _text(value: object) -> str:
    """A string as valid Unicode; anything else counts as absent."""
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else ""


def _arguments(value: object) -> str:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else _text(value)
