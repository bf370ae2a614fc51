"""Answers of the fake upstream about pictures of packages: it reads what tests wrote into them."""

import asyncio
import base64
import json
from collections.abc import Mapping
from typing import Any

from tests.fakes.upstream_scenarios import (
    COUNTED,
    DONE,
    OPENING,
    SCENARIOS,
    STOP,
    said,
    scenario,
)
from tests.fakes.upstream_wire import Wire
from tests.media_files import png

_MARK = b"PRINTED:"
CONFIDENCE = 0.9
INVALID = "I see a box of medicine."


def printed(**fields: object) -> bytes:
    """A picture of a package with these fields on it."""
    return png(more=_MARK + json.dumps(fields).encode())


def fields_on(request: Mapping[str, Any]) -> dict[str, object]:
    """The fields on all pictures of a request, which come as data."""
    found: dict[str, object] = {}
    for message in request["messages"]:
        for part in message["content"] if isinstance(message["content"], list) else []:
            if part["type"] == "image_url":
                data = base64.b64decode(part["image_url"]["url"].partition("base64,")[2])
                found |= json.loads(data.partition(_MARK)[2] or b"{}")
    return found


def _reply(request: Mapping[str, Any]) -> str:
    fields = fields_on(request)
    read = {"name": None, **fields, "confidence": dict.fromkeys(fields, CONFIDENCE)}
    return json.dumps(read, ensure_ascii=False)


async def _send(wire: Wire, text: str) -> None:
    await wire.head()
    half = len(text) // 2
    await wire.send(OPENING, said(text[:half]), said(text[half:]), STOP, COUNTED, DONE)
    await wire.end()


@scenario("package")
async def _good(wire: Wire) -> None:
    await _send(wire, _reply(wire.request.json))


@scenario("package-in-words")
async def _in_words(wire: Wire) -> None:
    reply = _reply(wire.request.json)
    await _send(wire, f"Here {{it}} is:\n```json\n{reply}\n```\nKeep {{it}} dry.")


@scenario("package-held")
async def _held(wire: Wire) -> None:
    """Answer when the test says so."""
    await wire.head()
    while not wire.released.is_set():
        await wire.send(b": ping\n\n")
        await asyncio.sleep(0.05)
    await wire.send(OPENING, said(_reply(wire.request.json)), STOP, COUNTED, DONE)
    await wire.end()


@scenario("package-second-time")
async def _second_time(wire: Wire) -> None:
    """Answer properly only when asked again, with the wrong reply and its problem."""
    *_, wrong, complaint = wire.request.json["messages"]
    is_again = wrong["content"] == INVALID and "not valid" in complaint["content"]
    await _send(wire, _reply(wire.request.json) if is_again else INVALID)


@scenario("package-never")
async def _never(wire: Wire) -> None:
    await _send(wire, INVALID)


@scenario("package-wrong-types")
async def _wrong_types(wire: Wire) -> None:
    await _send(wire, '{"name": 5, "expires_on": ["2027"], "confidence": "high"}')


@scenario("package-without-schema")
async def _without_schema(wire: Wire) -> None:
    """Refuse a request for a schema, as a gateway does that does not know it."""
    if "response_format" in wire.request.json:
        await wire.head(400, "application/json")
        await wire.send(b'{"error": {"message": "unknown field", "code": "invalid_parameter"}}')
        await wire.end()
        return
    await _send(wire, _reply(wire.request.json))


PACKAGES = {name for name in SCENARIOS if name.startswith("package")}
