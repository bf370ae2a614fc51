"""@endpoint: the common steps of every request, from the event to the access log."""

import json
import time
import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from dataclasses import dataclass, replace
from functools import partial
from inspect import isawaitable
from typing import TYPE_CHECKING, Any

from shared import log, settings
from shared.config import load
from shared.errors import AppError, MethodNotAllowed, NotFound, PayloadTooLarge, Unexpected
from shared.web.cors import cors_headers, preflight_headers
from shared.web.ending_stream import EndingStream
from shared.web.fc_events import from_event, reply
from shared.web.input_rules import (
    refuse_ignored_body,
    refuse_ignored_query,
    refuse_other_types,
)
from shared.web.paths import path_parameters
from shared.web.requests import Request, Response, WireResponse, failure

if TYPE_CHECKING:  # health ships without pydantic
    from pydantic import BaseModel

__all__ = ["Endpoint", "Handler", "Request", "Response", "endpoint", "respond", "serve"]

MEBIBYTE = 1024 * 1024

Run = Callable[[Request], Response | Awaitable[Response]]
Fail = Callable[[AppError, Request], Response]
Limit = Callable[[Request], None]


def unlimited(_: Request) -> None:
    """No rate limit."""


@dataclass(frozen=True)
class Endpoint:
    """A function `Request -> Response` with its method and its paths.

    `query` and `body` are the models that it parses; what it does not parse must be empty.
    """

    method: str
    paths: tuple[str, ...]
    run: Run
    query: "type[BaseModel] | None" = None
    body: "type[BaseModel] | None" = None
    is_strict: bool = True
    max_body_bytes: int = MEBIBYTE
    fail: Fail = failure
    limit: Limit = unlimited

    def __call__(self, event: bytes, context: object) -> dict[str, object]:
        return serve(self)(event, context)

    @property
    def endpoints(self) -> tuple["Endpoint", ...]:
        return (self,)

    def route(self, url_path: str) -> str | None:
        """The pattern among `paths` that the path fits."""
        fitting = (path for path in self.paths if path_parameters(path, url_path) is not None)
        return next(fitting, None)


def endpoint(
    method: str,
    *paths: str,
    query: "type[BaseModel] | None" = None,
    body: "type[BaseModel] | None" = None,
    is_strict: bool = True,
    max_body_bytes: int = MEBIBYTE,
    fail: Fail = failure,
    limit: Limit = unlimited,
) -> Callable[[Run], Endpoint]:
    """Turn a function `Request -> Response` into a handler of Function Compute.

    `query` and `body` are the models that the function parses. Names that they do not have
    are refused with 422, and so is a query or a body where no model is given, unless the
    path belongs to another API (`is_strict=False`).

    `fail` makes the error responses of these paths, for clients that expect another
    shape. `limit` counts the request against a rate limit and may refuse
    it (see shared.limits.rate_limits), before its body is parsed.
    """
    return lambda run: Endpoint(
        method, paths, run, query, body, is_strict, max_body_bytes, fail, limit
    )


@dataclass(frozen=True)
class Handler:
    """Several endpoints behind one Function Compute handler."""

    endpoints: tuple[Endpoint, ...]

    def __call__(self, event: bytes, context: object) -> dict[str, object]:
        return reply(_run_now(respond(self.endpoints, lambda: from_event(event, context))))


def serve(*endpoints: Endpoint) -> Handler:
    return Handler(endpoints)


async def respond(
    endpoints: tuple[Endpoint, ...], receive: Callable[[], Request], known: Request | None = None
) -> WireResponse:
    """The steps of every request: receive it, find the endpoint, run it, finish, log.

    `known` stands in for a request that `receive` fails to read. Never raises: an
    expected failure becomes its error response, any other exception a 500 without
    details.
    """
    started = time.perf_counter()
    request = known
    try:
        request = receive()
        response = _finished(await _run(endpoints, request), request, endpoints)
    except AppError as error:
        request = request or _unreadable()
        response = _finished(_failed(error, request, endpoints), request, endpoints)
    except Exception as error:  # noqa: BLE001  # an uncaught one shows its traceback to the client
        request = request or _unreadable()
        log.crash(error, request_id=request.request_id)
        response = _finished(_failed(Unexpected(), request, endpoints), request, endpoints)
    write = partial(_log_access, request, response.status, started)
    if response.stream is None:
        write()
        return response
    stream = response.stream
    if request.method == "HEAD":
        await stream.aclose()  # it has not begun, so nothing of it runs
        stream = _nothing()
    return replace(response, stream=EndingStream(stream, write))


async def _nothing() -> AsyncGenerator[bytes, None]:
    chunks: tuple[bytes, ...] = ()
    for chunk in chunks:
        yield chunk


def _unreadable() -> Request:
    """Stands for a request that could not be read, with an id for its error response."""
    return Request("", "", request_id=uuid.uuid4().hex)


async def _run(endpoints: tuple[Endpoint, ...], request: Request) -> Response:
    load(settings.Http)  # raises for malformed or unsafe settings, before any work
    if request.method == "OPTIONS" and _methods(endpoints, request.url_path):
        return Response(204)
    matched = _find(endpoints, request)
    route = matched.route(request.url_path) or ""
    request.notes["route"] = route
    parameters = path_parameters(route, request.url_path) or {}
    request = replace(request, path=parameters, is_strict=matched.is_strict)
    if len(request.body) > matched.max_body_bytes:
        raise PayloadTooLarge(limit_bytes=matched.max_body_bytes)
    matched.limit(request)
    if matched.method != "GET":
        refuse_other_types(request)
    if matched.is_strict:
        _refuse_ignored(matched, request)
    result = matched.run(request)
    return await result if isawaitable(result) else result


def _refuse_ignored(matched: Endpoint, request: Request) -> None:
    """Raises: MalformedJson, InvalidRequest."""
    if matched.query is None:
        refuse_ignored_query(request)
    if matched.body is None:
        refuse_ignored_body(request)


def _find(endpoints: tuple[Endpoint, ...], request: Request) -> Endpoint:
    method = "GET" if request.method == "HEAD" else request.method
    for candidate in endpoints:
        if candidate.method == method and candidate.route(request.url_path):
            return candidate
    allowed = _methods(endpoints, request.url_path)
    if allowed:
        raise MethodNotAllowed(headers={"Allow": ", ".join(allowed)})
    raise NotFound


def _methods(endpoints: tuple[Endpoint, ...], path: str) -> list[str]:
    found = {candidate.method for candidate in endpoints if candidate.route(path)}
    if "GET" in found:
        found.add("HEAD")
    return sorted(found | {"OPTIONS"}) if found else []


def _failed(error: AppError, request: Request, endpoints: tuple[Endpoint, ...]) -> Response:
    request.notes["error"] = error.name
    if error.context:
        request.notes["context"] = error.context
    return _fail_of(endpoints, request.url_path)(error, request)


def _fail_of(endpoints: tuple[Endpoint, ...], url_path: str) -> Fail:
    """That of the path; a path without an endpoint has that of its neighbours, as in /v1/typo."""
    area = f"{'/'.join(url_path.split('/')[:2])}/"
    own = [candidate for candidate in endpoints if candidate.route(url_path)]
    near = [candidate for candidate in endpoints if candidate.paths[0].startswith(area)]
    return next((candidate.fail for candidate in [*own, *near]), failure)


def _finished(
    response: Response, request: Request, endpoints: tuple[Endpoint, ...]
) -> WireResponse:
    headers = {
        "X-Request-Id": request.request_id,
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "no-store",
        **_cors(request, endpoints),
    }
    status, body = response.status, response.body
    if response.envelope is not None:
        envelope = {**response.envelope, "request_id": request.request_id}
        body = json.dumps(envelope, ensure_ascii=False, separators=(",", ":")).encode()
        headers["Content-Type"] = "application/json; charset=utf-8"
        status = _envelope_status(status)
    headers.update(response.headers)
    if request.method == "HEAD":
        body = b""
    return WireResponse(status, headers, body, response.stream)


def _envelope_status(status: int) -> int:
    return 200 if 400 <= status < 500 and _http_settings().envelope_always_200 else status


def _cors(request: Request, endpoints: tuple[Endpoint, ...]) -> dict[str, str]:
    origin = request.headers.get("origin", "")
    if request.method == "OPTIONS":
        methods = _methods(endpoints, request.url_path)
        asked_headers = request.headers.get("access-control-request-headers", "")
        return preflight_headers(origin, _http_settings(), methods, asked_headers)
    return cors_headers(origin, _http_settings())


def _http_settings() -> settings.Http:
    """The settings, or the strictest ones where they are invalid: an error response needs some."""
    try:
        return load(settings.Http)
    except AppError:
        return settings.Http((), "", False, 0)


def _log_access(request: Request, status: int, started: float) -> None:
    level = "info" if status < 500 else "error"
    log.write(
        level,
        "request",
        request_id=request.request_id,
        method=request.method[:10],
        status=status,
        latency_ms=round((time.perf_counter() - started) * 1000),
        **request.notes,
    )


def _run_now(work: Coroutine[Any, Any, WireResponse]) -> WireResponse:
    """Run a coroutine that never waits, without the cost of an event loop."""
    try:
        work.send(None)
    except StopIteration as done:
        response: WireResponse = done.value
        return response
    raise RuntimeError("an endpoint of a built-in function must not be asynchronous")
