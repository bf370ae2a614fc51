"""The same endpoints as an ASGI application, for web functions that stream (ASGI 3.0)."""

import asyncio
import gc
import json
import signal
import sys
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterable, MutableMapping
from dataclasses import dataclass, replace
from functools import partial
from types import FrameType
from typing import Any
from urllib.parse import parse_qsl

from shared import log
from shared.errors import RequestTimeout
from shared.web.endpoint import Endpoint, respond
from shared.web.fc_events import from_event, reply, usable_id
from shared.web.requests import Answer, Request

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

_EVENT_BYTES = 32 * 1024 * 1024  # what Function Compute lets through
_BODY_SECONDS = 20  # 1 MiB on a bad network; whoever is slower holds a place for nothing


class ClientLeft(Exception):
    """The connection closed before the answer was complete."""


@dataclass(frozen=True)
class WebHandler:
    """What the server of a web function runs.

    `on_signal` is called as soon as the platform asks the process to stop,
    `on_stop` awaited when the connections are gone.
    """

    endpoints: tuple[Endpoint, ...]
    on_signal: Callable[[], None] | None = None
    on_stop: Callable[[], Awaitable[None]] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            await self._serve(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        _tune_interpreter()
        if self.on_signal:
            _hear_of_the_end(self.on_signal)
        await send({"type": "lifespan.startup.complete"})
        await receive()
        if self.on_stop:
            await self.on_stop()
        await send({"type": "lifespan.shutdown.complete"})

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = _head(scope)
        print(f"FC Invoke Start RequestId: {request.request_id}", flush=True)  # noqa: T201  # the platform's own log format
        try:
            if _is_invocation(request):
                await self._invoke(request, receive, send)
            else:
                await self._answer(request, receive, send)
        except ClientLeft:
            log.write("info", "client_left", request_id=request.request_id)
        finally:
            print(f"FC Invoke End RequestId: {request.request_id}", flush=True)  # noqa: T201  # the platform's own log format

    async def _answer(self, request: Request, receive: Receive, send: Send) -> None:
        try:
            body = await asyncio.wait_for(_body(receive, self._most_bytes), _BODY_SECONDS)
        except asyncio.TimeoutError:
            body = None

        async def answer() -> None:
            received = partial(_with_body, request, body)
            await _send_answer(await respond(self.endpoints, received, request), send)

        await _until_left(receive, answer())

    async def _invoke(self, request: Request, receive: Receive, send: Send) -> None:
        """An event instead of an HTTP request: `s local invoke`, the API, a timer."""
        event = await _body(receive, _EVENT_BYTES)
        answer = await respond(self.endpoints, lambda: from_event(event))
        whole = replace(answer, body=await _gathered(answer), stream=None)
        body = json.dumps(reply(whole), ensure_ascii=False).encode()
        head = {"Content-Type": "application/json", "X-Request-Id": request.request_id}
        await _send_answer(Answer(200, head, body), send)

    @property
    def _most_bytes(self) -> int:
        return max(endpoint.max_body_bytes for endpoint in self.endpoints)


def _tune_interpreter() -> None:
    """For one event loop under load, beside a few database threads.

    A thread that has its answer waits this long for the interpreter, at each of
    its steps; 5 ms, the default, made a reservation late by 100. Looking for
    garbage that refers to itself means looking at every open stream, so it is
    done seldom, and what was imported is left out.
    """
    sys.setswitchinterval(0.0002)
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


def _hear_of_the_end(hear: Callable[[], None]) -> None:
    """Hear SIGTERM together with the server, which then waits for every open connection.

    Streams keep theirs open until they are told. Only the main thread can do so;
    elsewhere signals are somebody else's.
    """
    server, loop = signal.getsignal(signal.SIGTERM), asyncio.get_running_loop()
    if not callable(server) or threading.current_thread() is not threading.main_thread():
        return

    def tell_both(number: int, frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(hear)
        server(number, frame)

    signal.signal(signal.SIGTERM, tell_both)


def serve_web(
    *endpoints: Endpoint,
    on_signal: Callable[[], None] | None = None,
    on_stop: Callable[[], Awaitable[None]] | None = None,
) -> WebHandler:
    return WebHandler(endpoints, on_signal, on_stop)


def _head(scope: Scope) -> Request:
    named = [(name.decode("latin-1"), text.decode("latin-1")) for name, text in scope["headers"]]
    headers = _joined((name.lower(), text) for name, text in named)
    query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
    peer = scope.get("client")
    return Request(
        method=scope["method"],
        url_path=scope["path"],
        headers=headers,
        query=_joined(query),
        source_ip="" if "x-forwarded-for" in headers or not peer else peer[0],
        request_id=usable_id(headers.get("x-fc-request-id")),
    )


def _joined(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Repeated names are joined by commas, as the events of built-in functions have them."""
    found: dict[str, str] = {}
    for name, text in pairs:
        found[name] = f"{found[name]},{text}" if name in found else text
    return found


def _is_invocation(request: Request) -> bool:
    """Requests from outside pass the gateway, which appends to X-Forwarded-For.

    Without this check anybody could post an event to /invoke and claim to come
    from any address.
    """
    outside = "x-forwarded-for" in request.headers
    control = request.headers.get("x-fc-control-path", "/invoke")
    return (request.method, request.url_path, control, outside) == (
        "POST",
        "/invoke",
        "/invoke",
        False,
    )


def _with_body(request: Request, body: bytes | None) -> Request:
    if body is None:
        raise RequestTimeout
    return replace(request, body=body)


async def _body(receive: Receive, most_bytes: int) -> bytes:
    """The body, cut where it is longer than anybody here wants: one byte too long is enough."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientLeft
        body += message.get("body", b"")
        del body[most_bytes + 1 :]
        if not message.get("more_body"):
            return bytes(body)


async def _until_left(receive: Receive, work: Coroutine[Any, Any, None]) -> None:
    """Run the work, and cancel it as soon as the client is gone. Raises: ClientLeft."""
    sending, leaving = asyncio.create_task(work), asyncio.create_task(_left(receive))
    try:
        await asyncio.wait({sending, leaving}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (sending, leaving):
            task.cancel()
        await asyncio.wait({sending, leaving})
    if sending.cancelled():
        raise ClientLeft
    sending.result()


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _send_answer(answer: Answer, send: Send) -> None:
    headers = [(name.lower().encode(), text.encode()) for name, text in answer.headers.items()]
    if answer.stream is None and answer.status != 204:  # RFC 9110, 8.6
        headers.append((b"content-length", str(len(answer.body)).encode()))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    if answer.stream:
        try:
            async for piece in answer.stream:
                await send({"type": "http.response.body", "body": piece, "more_body": True})
        finally:
            await answer.stream.aclose()
    await send({"type": "http.response.body", "body": answer.body})


async def _gathered(answer: Answer) -> bytes:
    if answer.stream is None:
        return answer.body
    return b"".join([piece async for piece in answer.stream])
