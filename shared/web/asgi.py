"""The bridge from ASGI 3.0 to endpoints, for web functions, which stream."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Coroutine, Iterable, MutableMapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any
from urllib.parse import parse_qsl

from shared import log
from shared.credentials import of_headers
from shared.errors import RequestTimeout
from shared.web.endpoint import Endpoint, respond
from shared.web.fc_events import from_event, reply, usable_id
from shared.web.process import call_on_sigterm, tune_interpreter
from shared.web.requests import Request, WireResponse

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

_EVENT_BYTES = 32 * 1024 * 1024  # the limit of Function Compute
_FROM_OUTSIDE = ("x-forwarded-for", "x-forwarded-proto", "x-real-ip", "forwarded", "via", "origin")
_BODY_SECONDS = 20  # 1 MiB at 0.4 Mbit/s; a slower client only occupies a connection


class ClientLeft(Exception):
    """The client closed the connection before the response was complete."""


@dataclass(frozen=True)
class WebHandler:
    """The ASGI application of a web function.

    `on_start` is called before the first request, `on_signal` as soon as the platform asks
    the process to stop; `on_stop` is awaited after the last connection has closed.
    """

    endpoints: tuple[Endpoint, ...]
    on_signal: Callable[[], None] | None = None
    on_stop: Callable[[], Awaitable[None]] | None = None
    on_start: Callable[[], None] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._run_lifespan(receive, send)
        elif scope["type"] == "http":
            await self._serve(scope, receive, send)

    async def _run_lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        tune_interpreter()
        if self.on_signal:
            call_on_sigterm(self.on_signal)
        if self.on_start:
            self.on_start()
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
                await self._respond(request, receive, send)
        except ClientLeft:
            log.write("info", "client_left", request_id=request.request_id)
        finally:
            print(f"FC Invoke End RequestId: {request.request_id}", flush=True)  # noqa: T201  # the platform's own log format

    async def _respond(self, request: Request, receive: Receive, send: Send) -> None:
        try:
            body = await asyncio.wait_for(_body(receive, self._most_bytes), _BODY_SECONDS)
        except asyncio.TimeoutError:
            body = None

        async def run() -> None:
            received = partial(_with_body, request, body)
            await _send_response(await respond(self.endpoints, received, request), send)

        await _unless_client_leaves(receive, run())

    async def _invoke(self, request: Request, receive: Receive, send: Send) -> None:
        """Handle an event that was not an HTTP request: `s local invoke`, the API, a timer."""
        event = await _body(receive, _EVENT_BYTES)
        response = await respond(self.endpoints, lambda: from_event(event))
        whole = replace(response, body=await _whole_body(response), stream=None)
        body = json.dumps(reply(whole), ensure_ascii=False).encode()
        headers = {"Content-Type": "application/json", "X-Request-Id": request.request_id}
        await _send_response(WireResponse(200, headers, body), send)

    @property
    def _most_bytes(self) -> int:
        return max(endpoint.max_body_bytes for endpoint in self.endpoints)


def serve_web(
    *endpoints: Endpoint,
    on_signal: Callable[[], None] | None = None,
    on_stop: Callable[[], Awaitable[None]] | None = None,
    on_start: Callable[[], None] | None = None,
) -> WebHandler:
    return WebHandler(endpoints, on_signal, on_stop, on_start)


def _head(scope: Scope) -> Request:
    decoded = [(name.decode("latin-1"), text.decode("latin-1")) for name, text in scope["headers"]]
    headers = _joined((name.lower(), text) for name, text in decoded)
    query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
    peer = scope.get("client")
    return Request(
        method=scope["method"],
        url_path=scope["path"],
        headers=headers,
        query=_joined(query),
        source_ip="" if "x-forwarded-for" in headers or not peer else peer[0],
        request_id=usable_id(headers.get("x-fc-request-id")),
        credentials=of_headers(headers),
    )


def _joined(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Join the values of repeated names by commas, as events of built-in functions do."""
    joined: dict[str, str] = {}
    for name, text in pairs:
        joined[name] = f"{joined[name]},{text}" if name in joined else text
    return joined


def _is_invocation(request: Request) -> bool:
    """Whether the platform itself calls /invoke, with an event as the body.

    Without this check any client could post an event to /invoke with a forged source
    address. The platform sets X-Fc-Control-Path to the path. If a client forges that header,
    its value arrives beside the platform's. Requests of clients pass the gateway, which adds
    a header with their address. Any doubt makes it a request from outside.
    """
    said = [request.headers.get(name) for name in ("x-fc-control-path", "x-fc-request-id")]
    is_forwarded = any(name in request.headers for name in _FROM_OUTSIDE)
    is_at_path = (request.method, request.url_path, said[0]) == ("POST", "/invoke", "/invoke")
    return is_at_path and bool(said[1]) and not is_forwarded


def _with_body(request: Request, body: bytes | None) -> Request:
    if body is None:
        raise RequestTimeout
    return replace(request, body=body)


async def _body(receive: Receive, most_bytes: int) -> bytes:
    """The body, cut off one byte after the limit; `respond` then refuses it as too large."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientLeft
        body += message.get("body", b"")
        del body[most_bytes + 1 :]
        if not message.get("more_body"):
            return bytes(body)


async def _unless_client_leaves(receive: Receive, work: Coroutine[Any, Any, None]) -> None:
    """Run the work; cancel it as soon as the client disconnects. Raises: ClientLeft."""
    sending, leaving = asyncio.create_task(work), asyncio.create_task(_disconnected(receive))
    try:
        await asyncio.wait({sending, leaving}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (sending, leaving):
            task.cancel()
        await asyncio.wait({sending, leaving})
    if sending.cancelled():
        raise ClientLeft
    sending.result()


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _send_response(response: WireResponse, send: Send) -> None:
    headers = [(name.lower().encode(), text.encode()) for name, text in response.headers.items()]
    if response.stream is None and response.status != 204:  # RFC 9110, 8.6
        headers.append((b"content-length", str(len(response.body)).encode()))
    try:
        await send({"type": "http.response.start", "status": response.status, "headers": headers})
        if response.stream:
            async for chunk in response.stream:
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
    finally:
        if response.stream:
            await response.stream.aclose()
    await send({"type": "http.response.body", "body": response.body})


async def _whole_body(response: WireResponse) -> bytes:
    if response.stream is None:
        return response.body
    return b"".join([chunk async for chunk in response.stream])
