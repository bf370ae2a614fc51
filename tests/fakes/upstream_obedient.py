"""A model that does what a request asks for: calls tools, and writes JSON of the schema."""

import json
from collections.abc import Mapping
from typing import Any

from tests.fakes.upstream_scenarios import COUNTED, DONE, OPENING, chunk, said, scenario
from tests.fakes.upstream_wire import Wire

VALUES = {"string": "杭州", "integer": 7, "number": 7.5, "boolean": True, "null": None}
_PIECE = 5  # characters of one event


@scenario("obedient")
async def _(wire: Wire) -> None:
    request = wire.request.json
    await wire.head()
    await wire.send(OPENING)
    if tool := _tool_to_call(request):
        arguments = json.dumps(_example(tool.get("parameters", {})), ensure_ascii=False)
        await wire.send(*_call(tool["name"], arguments))
    else:
        await wire.send(*[said(piece) for piece in _pieces(_text(request))], chunk({}, "stop"))
    await wire.send(COUNTED, DONE)
    await wire.end()


def _tool_to_call(request: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The tool that is asked for by name, or the first one, unless its result is there."""
    tools = {tool["function"]["name"]: tool["function"] for tool in request.get("tools", [])}
    choice = request.get("tool_choice", "auto")
    if isinstance(choice, dict):
        return dict(tools[choice["function"]["name"]])
    is_done = choice == "none" or request["messages"][-1]["role"] == "tool"
    return None if is_done else next(iter(tools.values()), None)


def _text(request: Mapping[str, Any]) -> str:
    """JSON of the schema; else the result of a tool; else a sentence."""
    form = request.get("response_format", {})
    if form.get("type") == "json_schema":
        return json.dumps(_example(form["json_schema"]["schema"]), ensure_ascii=False)
    if form.get("type") == "json_object":
        return json.dumps({"city": VALUES["string"], "degrees": VALUES["integer"]})
    last = request["messages"][-1]
    return f"It is {last['content']}." if last["role"] == "tool" else "It is sunny."


def _call(name: str, arguments: str) -> list[bytes]:
    first = {"index": 0, "id": "call_1", "type": "function"}
    opening = chunk({"tool_calls": [{**first, "function": {"name": name, "arguments": ""}}]})
    parts = [
        chunk({"tool_calls": [{"index": 0, "function": {"arguments": piece}}]})
        for piece in _pieces(arguments)
    ]
    return [opening, *parts, chunk({}, "tool_calls")]


def _pieces(text: str) -> list[str]:
    return [text[start : start + _PIECE] for start in range(0, len(text), _PIECE)]


def _example(schema: Mapping[str, Any], root: Mapping[str, Any] | None = None) -> Any:
    """A value of a JSON schema."""
    root = root or schema
    if "$ref" in schema:
        return _example(root["$defs"][schema["$ref"].rpartition("/")[2]], root)
    if "enum" in schema:
        return schema["enum"][0]
    if "anyOf" in schema:
        return _example(schema["anyOf"][0], root)
    if schema.get("type") == "array":
        return [_example(schema["items"], root)]
    if schema.get("type", "object") == "object":
        return {name: _example(one, root) for name, one in schema.get("properties", {}).items()}
    return VALUES[schema["type"]]
