"""Clients of the gateway: an HTTP client, or the discarded client of an asynchronous call."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from typing import Any, Protocol

from scripts.tooling.local.gateway.platform_rules import Headers
from scripts.tooling.local.gateway.refusals import BodyTooLarge

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

_BODYLESS = {204, 304}


class ClientGone(Exception):
    """The client left before the request or the answer was complete."""


class Client(Protocol):
    status: int | None

    def chunks(self, limit_bytes: int) -> AsyncIterator[bytes]:
        """Yield the request's body. Raises: BodyTooLarge, ClientGone."""

    async def gone(self) -> None:
        """Return when the client leaves; this is only noticed after its body was read."""

    async def start(self, status: int, headers: Headers) -> None: ...

    async def send(self, chunk: bytes, *, more: bool) -> None: ...


async def read_body(client: Client, limit_bytes: int) -> bytes:
    return b"".join([chunk async for chunk in client.chunks(limit_bytes)])


async def answer(client: Client, status: int, headers: Headers, body: bytes) -> None:
    if status in _BODYLESS:
        await client.start(status, headers)
        await client.send(b"", more=False)
        return
    await client.start(status, [*headers, ("content-length", str(len(body)))])
    await client.send(body, more=False)


class HttpClient:
    """One request of the ASGI server."""

    def __init__(self, receive: Receive, send: Send, request_id: str) -> None:
        self.status: int | None = None
        self.is_gone = False
        self._receive = receive
        self._send = send
        self._request_id = request_id
        self._read = asyncio.Event()
        self._answered = False

    async def chunks(self, limit_bytes: int) -> AsyncIterator[bytes]:
        size, more = 0, True
        while more:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ClientGone
            size += len(message["body"])
            if size > limit_bytes:
                raise BodyTooLarge(f"the body is over {limit_bytes} bytes")
            more = message["more_body"]
            if not more:
                self._read.set()
            yield message["body"]

    async def gone(self) -> None:
        """Wait for the body first: only one caller at a time may receive.

        The server also reports a disconnect after a complete answer; that is ignored.
        """
        await self._read.wait()
        await self._receive()
        if self._answered:
            await asyncio.Event().wait()
        self.is_gone = True

    async def start(self, status: int, headers: Headers) -> None:
        self.status = status
        pairs = [*headers, ("X-Fc-Request-Id", self._request_id)]
        raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in pairs]
        await self._send({"type": "http.response.start", "status": status, "headers": raw})

    async def send(self, chunk: bytes, *, more: bool) -> None:
        self._answered = not more
        await self._send({"type": "http.response.body", "body": chunk, "more_body": more})


class AsyncClient:
    """The client of an asynchronous invocation, for which the answer is discarded."""

    def __init__(self, body: bytes) -> None:
        self.status: int | None = None
        self._body = body

    async def chunks(self, limit_bytes: int) -> AsyncIterator[bytes]:
        yield self._body

    async def gone(self) -> None:
        await asyncio.Event().wait()

    async def start(self, status: int, headers: Headers) -> None:
        self.status = status

    async def send(self, chunk: bytes, *, more: bool) -> None:
        pass
