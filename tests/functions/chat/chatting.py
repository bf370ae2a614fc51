"""Calls the chat function as clients do, with and without streaming."""

import asyncio
import itertools
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import httpx

from tests.events import Reply
from tests.patience import HANG_SECONDS
from tests.web import NO_CERTIFICATES, WebFunction

PATH = "/api/chat"
Position = tuple[int, int]
_PIECE = re.compile(
    rb"id: (?P<text>\d+)\.(?P<reasoning>\d+)\nevent: (?P<name>start|delta|reasoning|done|error)\n"
    rb"data: (?P<data>\{[^\r\n]*\})\n\n|: ping\n\n"
)


@dataclass(frozen=True)
class StreamEvent:
    """One event of a stream."""

    name: str
    data: dict[str, Any]


@dataclass(frozen=True)
class Stream:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @classmethod
    def of(cls, reply: Reply) -> "Stream":
        return cls(reply.status, reply.headers, reply.body)

    @property
    def events(self) -> list[StreamEvent]:
        return events_of(self.body)

    @property
    def text(self) -> str:
        return "".join(said.data["text"] for said in self.events if said.name == "delta")

    @property
    def last(self) -> StreamEvent:
        return self.events[-1]


def events_of(body: bytes, known: Position | None = None) -> list[StreamEvent]:
    """Check the grammar of a whole stream: only pings, and events with their positions.

    An event id counts the characters of text and of reasoning sent so far.
    """
    found, at = list[StreamEvent](), 0
    positions = list[Position]()
    while at < len(body):
        match = _PIECE.match(body, at)
        assert match, body[at : at + 200]
        at = match.end()
        if match["name"]:
            said = StreamEvent(match["name"].decode(), json.loads(match["data"]))
            positions.append((int(match["text"]), int(match["reasoning"])))
            assert positions[-1] == _after(positions[-2], said) if found else said.name == "start"
            found.append(said)
    names = [said.name for said in found]
    assert positions[0] == (known or (0, 0))
    assert names[-1] in {"done", "error"}
    assert set(names[1:-1]) <= {"delta", "reasoning"}
    return found


def _after(place: Position, said: StreamEvent) -> Position:
    grown = len(said.data.get("text", ""))
    text, reasoning = place
    if said.name == "reasoning":
        return text, reasoning + grown
    return (text + grown, reasoning) if said.name == "delta" else place


def post(
    web: WebFunction,
    body: object,
    *,
    token: str = "",
    headers: Mapping[str, str] | None = None,
    query: str = "",
) -> Reply:
    answer = web.client.post(
        PATH + query, content=json.dumps(body).encode(), headers=_headers(token, headers)
    )
    return Reply(answer.status_code, answer.headers, answer.content)


def ask(
    web: WebFunction,
    message: str = "你好",
    *,
    token: str = "",
    headers: Mapping[str, str] | None = None,
    **fields: object,
) -> Reply:
    return post(web, {"message": message, **fields}, token=token, headers=headers)


def ask_at_once(
    webs: Sequence[WebFunction],
    bodies: Sequence[object],
    *,
    token: str,
    headers: Mapping[str, str] | None = None,
) -> list[Reply]:
    """Send all bodies at once, each to the next of the instances."""

    async def ask_all() -> list[httpx.Response]:
        limits = httpx.Limits(max_connections=None)
        named = _headers(token, headers)
        async with httpx.AsyncClient(
            limits=limits, headers=named, verify=NO_CERTIFICATES, timeout=HANG_SECONDS
        ) as client:
            bases = itertools.cycle(web.base for web in webs)
            asking = [client.post(next(bases) + PATH, json=body) for body in bodies]
            return await asyncio.gather(*asking)

    answers = asyncio.run(ask_all())
    return [Reply(one.status_code, one.headers, one.content) for one in answers]


def watch(
    web: WebFunction, message_id: str, *, token: str, last_event_id: str = ""
) -> AbstractContextManager[httpx.Response]:
    """Open the stream of a running or stored answer, on any instance, as a context."""
    headers = {**_headers(token, None), "Last-Event-ID": last_event_id}
    return httpx.stream(
        "GET",
        f"{web.base}{PATH}/streams/{message_id}",
        headers=headers,
        verify=NO_CERTIFICATES,
        timeout=HANG_SECONDS,
    )


def stop(web: WebFunction, message_id: str, *, token: str) -> int:
    body = {"message_id": message_id}
    return web.client.post(f"{PATH}/stop", json=body, headers=_headers(token, None)).status_code


def hear(
    web: WebFunction,
    message: str = "你好",
    *,
    token: str = "",
    headers: Mapping[str, str] | None = None,
    **fields: object,
) -> Stream:
    asked = {"message": message, "stream": True, **fields}
    reply = post(web, asked, token=token, headers=headers)
    return Stream(reply.status, reply.headers, reply.body)


def open_stream(
    web: WebFunction, message: str, *, token: str = "", headers: Mapping[str, str] | None = None
) -> AbstractContextManager[httpx.Response]:
    """Open a streamed answer as a context."""
    asked, named = json.dumps({"message": message, "stream": True}), _headers(token, headers)
    return httpx.stream(
        "POST",
        web.base + PATH,
        content=asked,
        headers=named,
        verify=NO_CERTIFICATES,
        timeout=HANG_SECONDS,
    )


def message_id_of(heard: bytes) -> str:
    """The id in a stream's first event."""
    told: dict[str, str] = json.loads(heard.partition(b"data: ")[2].split(b"\n")[0])
    return told["message_id"]


def pieces_of(answer: httpx.Response) -> Iterator[bytes]:
    """Yield events and pings as they arrive."""
    held = b""
    for chunk in answer.iter_raw():
        *whole, held = (held + chunk).split(b"\n\n")
        for piece in whole:
            yield piece + b"\n\n"


def heard_until(pieces: Iterator[bytes], text: str) -> bytes:
    """Read events until this much of an answer has arrived, in any number of events."""
    heard = b""
    while not "".join(text_told(piece) for piece in heard.split(b"\n\n")).startswith(text):
        heard += next(pieces)
    return heard


def text_told(piece: bytes) -> str:
    if b"event: delta" not in piece:
        return ""
    told: dict[str, str] = json.loads(piece.partition(b"data: ")[2])
    return told["text"]


def _headers(token: str, headers: Mapping[str, str] | None) -> dict[str, str]:
    named = {"Authorization": f"Bearer {token}"} if token else {}
    return {"Content-Type": "application/json", **named, **(headers or {})}
