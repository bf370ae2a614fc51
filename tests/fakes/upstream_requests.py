"""Requests that OpenAI and others refuse: the fake upstream checks what arrives."""

from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any

_ROLES = {"system", "user", "assistant", "tool"}
_TEXT_FIELDS = ("name", "refusal", "reasoning_content", "tool_call_id")


def complaint_about(request: Mapping[str, Any]) -> str:
    """The first thing that is wrong with a request, or nothing."""
    return next(chain(_of_request(request), _of_messages(request["messages"])), "")


def _of_request(request: Mapping[str, Any]) -> Iterator[str]:
    for name, value in request.items():
        if value is None:
            yield f"{name} is null"
    for tool in request.get("tools", []):
        if tool["type"] != "function" or not tool["function"]["name"]:
            yield "a tool is no function"
    if "tool_choice" in request and not request.get("tools"):
        yield "tool_choice without tools"
    if request.get("tools") == []:
        yield "tools is empty"


def _of_messages(messages: list[dict[str, Any]]) -> Iterator[str]:
    open_calls = set[str]()
    for message in messages:
        if message["role"] not in _ROLES:
            yield f"the role {message['role']}"
        if message["role"] != "tool" and open_calls:
            yield "a tool call without its result"
        yield from _of_content(message)
        for field in _TEXT_FIELDS:
            if field in message and not isinstance(message[field], str):
                yield f"{field} is no text"
        if message["role"] == "tool":
            if message["tool_call_id"] not in open_calls:
                yield "a result without its tool call"
            open_calls.discard(message["tool_call_id"])
        open_calls |= set(_call_ids(message))


def _call_ids(message: Mapping[str, Any]) -> Iterator[str]:
    for call in message.get("tool_calls", []):
        assert call.keys() == {"id", "type", "function"}
        assert call["function"].keys() == {"name", "arguments"}
        yield call["id"]


def _of_content(message: Mapping[str, Any]) -> Iterator[str]:
    content = message["content"]
    if content is None and "tool_calls" not in message and "refusal" not in message:
        yield "content is null"
    for part in content if isinstance(content, list) else []:
        if part["type"] == "image_url" and not part["image_url"]["url"].startswith(
            ("https://", "http://127.0.0.1:", "data:image/")  # that of the fake bucket
        ):
            yield "the address of a picture"
