"""The gateway: routes requests to functions like the custom domain of Function Compute."""

import asyncio
import time
import traceback
from collections.abc import Iterable, MutableMapping
from pathlib import Path
from typing import Any

from scripts.tooling.local.gateway import terminal
from scripts.tooling.local.gateway.builtin import BuiltinHost
from scripts.tooling.local.gateway.client import (
    AsyncClient,
    Client,
    ClientGone,
    HttpClient,
    Receive,
    Send,
    answer,
    read_body,
)
from scripts.tooling.local.gateway.events import Call, new_request_id
from scripts.tooling.local.gateway.platform_rules import (
    MAX_ASYNC_BODY_BYTES,
    MAX_HEADER_BYTES,
    MAX_TARGET_BYTES,
    header_bytes,
)
from scripts.tooling.local.gateway.refusals import (
    FunctionFailed,
    HeadersTooLarge,
    NoRoute,
    Refusal,
    TargetTooLong,
    WrongMethod,
)
from scripts.tooling.local.gateway.storage.door import StorageDoor
from scripts.tooling.local.gateway.timers import Timers
from scripts.tooling.local.gateway.web import WebHost
from scripts.tooling.manifest.s_yaml import Function, Manifest, Route

Host = BuiltinHost | WebHost


class Gateway:
    """An ASGI application that serves the functions and timers of a manifest."""

    def __init__(self, manifest: Manifest, root: Path) -> None:
        self._root = root
        self._background: set[asyncio.Task[None]] = set()
        self._retired: set[Host] = set()
        self._retired_timers: set[Timers] = set()
        self._deploy(manifest)

    def _deploy(self, manifest: Manifest) -> None:
        """Prepare the functions and timers of a manifest.

        Raises: ManifestError, when the expression of a timer is invalid.
        """
        self._timers = Timers(manifest.functions, self._fire)
        self._routes, self._storage = manifest.routes, StorageDoor(manifest)
        self._hosts = {f.name: _host(f, self._root) for f in manifest.functions}

    def start(self) -> None:
        """Start the timers; an event loop must be running."""
        self._timers.start()

    async def reload(self, manifest: Manifest) -> None:
        """Send new requests to new processes; old processes finish their requests.

        Raises: ManifestError, and keeps serving the old manifest.
        """
        old, timers = list(self._hosts.values()), self._timers
        self._deploy(manifest)
        timers.retire()
        self._retired_timers.add(timers)
        self.start()
        self._retired.update(old)
        await asyncio.gather(*(host.retire() for host in old))

    async def close(self) -> None:
        for task in list(self._background):
            task.cancel()
        await asyncio.gather(*(t.close() for t in (self._timers, *self._retired_timers)))
        await asyncio.gather(*(h.close() for h in (*self._hosts.values(), *self._retired)))

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        call = Call.of(scope)
        client = HttpClient(receive, send, call.request_id)
        started = time.perf_counter()
        name = "-"
        try:
            check_request(call)
            if self._storage.has(call.path):
                await self._storage.serve(call, client)
            else:
                name = find_route(self._routes, call.method, call.path).function
                await self._serve(self._hosts[name], call, client)
        except ClientGone:
            client.is_gone = True
        except Refusal as refusal:
            await self._refuse(refusal, call, client)
        except Exception:  # noqa: BLE001  # a gateway error must not look like a function's
            terminal.alarm(f"the gateway itself failed\n{traceback.format_exc()}")
        _log(call, client, name, time.perf_counter() - started)

    async def _serve(self, host: Host, call: Call, client: Client) -> None:
        if not call.is_async:
            await host.serve(call, client)
            return
        body = await read_body(client, MAX_ASYNC_BODY_BYTES)
        task = asyncio.create_task(_in_background(host, call, body))
        self._background.add(task)
        task.add_done_callback(self._background.discard)
        await answer(client, 202, [], b"")

    async def _fire(self, function: Function, event: bytes) -> None:
        started, request_id = time.perf_counter(), new_request_id()
        host, outcome = self._hosts[function.name], "done"
        try:
            if isinstance(host, BuiltinHost):  # only these have timers
                output = await host.fire(event, request_id)
                if terminal.did_nothing(output):
                    return
        except Refusal as refusal:
            outcome = refusal.code
            _alarm(refusal, request_id)
        moment, seconds = time.strftime("%H:%M:%S"), time.perf_counter() - started
        line = f"{moment} timer -> {function.name} {outcome} {seconds * 1000:.0f} ms {request_id}"
        terminal.note(line)

    async def _refuse(self, refusal: Refusal, call: Call, client: HttpClient) -> None:
        """Answer with an error; if the answer has already begun, only break it off."""
        _report(refusal, call)
        if client.status is None:
            headers = [("content-type", "application/json")]
            await answer(client, refusal.status, headers, refusal.body(call.request_id))


def _host(function: Function, root: Path) -> Host:
    return WebHost(function, root) if function.is_web else BuiltinHost(function, root)


async def _in_background(host: Host, call: Call, body: bytes) -> None:
    """Run an asynchronous invocation; repeat it once if the function fails."""
    for attempt in (1, 2):
        try:
            await host.serve(call, AsyncClient(body))
        except FunctionFailed as failure:
            terminal.alarm(f"asynchronous attempt {attempt} of {call.request_id} failed")
            _report(failure, call)
        except Refusal as refusal:
            _report(refusal, call)
            return
        else:
            return


def check_request(call: Call) -> None:
    """Check the sizes of headers and target. Raises: HeadersTooLarge, TargetTooLong."""
    if header_bytes(call.headers) > MAX_HEADER_BYTES:
        raise HeadersTooLarge("the request headers are over 8 KB")
    if len(call.raw_path) + len(call.query) > MAX_TARGET_BYTES:
        raise TargetTooLong("path and query are over 4 KB")


def find_route(routes: Iterable[Route], method: str, path: str) -> Route:
    """Find the route of a request: an exact path, else the longest matching prefix with `/*`.

    Raises:
        NoRoute: no path matches.
        WrongMethod: a path matches, but not with this method.
    """
    matching = [route for route in routes if _matches(route.path, path)]
    if not matching:
        raise NoRoute(f"no route of s.yaml leads to {path}")
    best = max(matching, key=lambda route: (not route.path.endswith("/*"), len(route.path)))
    nearest = [route for route in matching if route.path == best.path]
    for route in nearest:
        if method in route.methods or not route.methods:
            return route
    allowed = ", ".join(method for route in nearest for method in route.methods)
    raise WrongMethod(f"{path} is routed for {allowed} only")


def _matches(pattern: str, path: str) -> bool:
    return path.startswith(pattern[:-1]) if pattern.endswith("/*") else path == pattern


def _report(refusal: Refusal, call: Call) -> None:
    if refusal.function:
        _alarm(refusal, call.request_id)


def _alarm(refusal: Refusal, request_id: str) -> None:
    detail = f"\n{refusal.detail}" if refusal.detail else ""
    terminal.alarm(f"{refusal.code}: {refusal.message} ({request_id}){detail}")


def _log(call: Call, client: HttpClient, name: str, seconds: float) -> None:
    """Print the request line, without the query, which may hold secrets.

    The path stays encoded: decoded, it could hold escape sequences of the terminal.
    """
    status = "gone" if client.is_gone else client.status
    moment = time.strftime("%H:%M:%S")
    line = f"{moment} {call.method} {call.raw_path} -> {name} {status} {seconds * 1000:.0f} ms"
    terminal.note(f"{line} {call.request_id}{' async' if call.is_async else ''}")
