"""Talk to the chat function as its clients do, whole and streamed."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from tests.events import Reply
from tests.web import WebFunction

PATH = "/api/chat"
_PIECE = re.compile(
    rb"id: (?P<id>\d+)\nevent: (?P<name>start|delta|reasoning|done|error)\n"
    rb"data: (?P<data>\{[^\r\n]*\})\n\n|: ping\n\n"
)


@dataclass(frozen=True)
class Said:
    """One event of a stream."""

    name: str
    data: dict[str, Any]


@dataclass(frozen=True)
class Stream:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def events(self) -> list[Said]:
        return events_of(self.body)

    @property
    def text(self) -> str:
        return "".join(said.data["text"] for said in self.events if said.name == "delta")

    @property
    def last(self) -> Said:
        return self.events[-1]


def events_of(body: bytes) -> list[Said]:
    """Hold a whole stream to its grammar: nothing but events numbered from 1, and pings."""
    found, at = list[Said](), 0
    while at < len(body):
        match = _PIECE.match(body, at)
        assert match, body[at : at + 200]
        at = match.end()
        if match["name"]:
            assert int(match["id"]) == len(found) + 1
            found.append(Said(match["name"].decode(), json.loads(match["data"])))
    names = [said.name for said in found]
    assert names[0] == "start"
    assert names[-1] in {"done", "error"}
    assert set(names[1:-1]) <= {"delta", "reasoning"}
    return found


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


def open_stream(web: WebFunction, message: str) -> Any:
    """As a context: the answer while it comes."""
    asked = {"message": message, "stream": True}
    return httpx.stream("POST", web.base + PATH, json=asked, timeout=30)


def pieces_of(answer: httpx.Response) -> Iterator[bytes]:
    """Events and pings one by one, each as soon as it is there."""
    held = b""
    for chunk in answer.iter_raw():
        *whole, held = (held + chunk).split(b"\n\n")
        for piece in whole:
            yield piece + b"\n\n"


def _headers(token: str, headers: Mapping[str, str] | None) -> dict[str, str]:
    named = {"Authorization": f"Bearer {token}"} if token else {}
    return {"Content-Type": "application/json", **named, **(headers or {})}
