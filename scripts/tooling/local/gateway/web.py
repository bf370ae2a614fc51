"""Web functions: run the command of the manifest and stream requests to it."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx

from scripts.tooling.local.gateway import terminal
from scripts.tooling.local.gateway.client import Client, ClientGone, read_body
from scripts.tooling.local.gateway.events import ACCOUNT_ID, REGION, Call
from scripts.tooling.local.gateway.platform_rules import MAX_BODY_BYTES, Headers, check_headers
from scripts.tooling.local.gateway.processes import Process, Show, environment_of, free_port
from scripts.tooling.local.gateway.refusals import FunctionTimeout, NotStarted, ProcessExited
from scripts.tooling.manifest.s_yaml import Function

START_SECONDS = 120

# Headers of one connection are not passed on; the platform removes x-fc-status.
_HOP_BY_HOP = frozenset(
    {
        "connection",
        "expect",
        "keep-alive",
        "proxy-connection",
        "te",
        "transfer-encoding",
        "upgrade",
    }
)
_KEPT_BACK = frozenset({"connection", "keep-alive", "transfer-encoding", "x-fc-status"})
_PASSED = _KEPT_BACK | {"content-length"}


class WebProcess:
    """The function's server, listening on a free port of the loopback interface."""

    def __init__(self, process: Process, port: int) -> None:
        self.process = process
        self._port = port

    @classmethod
    async def start(cls, function: Function, root: Path, show: Show) -> "WebProcess":
        """Start the server. Raises: NotStarted, when it ends or its port stays closed for 120 s."""
        port = free_port()
        process = await Process.start(
            list(_localised(function, port)),
            environment=environment_of(function),
            directory=root,
            show=show,
        )
        try:
            if not await asyncio.wait_for(process.listens_on(port), START_SECONDS):
                raise _not_started(function, "its process ended before it listened")
        except asyncio.TimeoutError:
            await process.kill()
            raise _not_started(function, "its port stayed closed for 120 s") from None
        except BaseException:
            await process.kill()
            raise
        return cls(process, port)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"


def _not_started(function: Function, problem: str) -> NotStarted:
    return NotStarted(f"{function.name} was not started: {problem}", function=function.name)


def _localised(function: Function, port: int) -> Iterator[str]:
    """The command with another port, on the loopback interface."""
    for part in function.command:
        moved = re.sub(rf"(?<!\d){function.port}(?!\d)", str(port), part)
        yield moved.replace("0.0.0.0", "127.0.0.1")  # noqa: S104  # replaced, not bound


def platform_headers(function: Function, request_id: str, control_path: str) -> Headers:
    """The common headers of custom runtimes, without the credentials."""
    return [
        ("x-fc-control-path", control_path),
        ("x-fc-request-id", request_id),
        ("x-fc-function-name", function.function_name),
        ("x-fc-function-handler", function.handler),
        ("x-fc-function-memory", str(function.memory_mb)),
        ("x-fc-region", REGION),
        ("x-fc-account-id", ACCOUNT_ID),
        ("x-fc-qualifier", "LATEST"),
        ("x-fc-version-id", "LATEST"),
    ]


class WebHost:
    """One web function; a request starts its process if none is running."""

    def __init__(self, function: Function, root: Path) -> None:
        self._function = function
        self._root = root
        self._server: WebProcess | None = None
        self._starting = asyncio.Lock()
        self._running = 0
        self._retired = False
        self._upstream = httpx.AsyncHTTPTransport(
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=50)
        )

    async def serve(self, call: Call, client: Client) -> None:
        """Relay one request until it ends, the client leaves, or the timeout is over."""
        self._running += 1
        try:
            server = await self._started()
            await self._watched(call, client, server)
        finally:
            self._running -= 1
            await self._end_if_retired()

    async def _started(self) -> WebProcess:
        async with self._starting:
            if self._server is None or not self._server.process.is_alive:
                show = terminal.labelled(self._function.name)
                self._server = await WebProcess.start(self._function, self._root, show)
            return self._server

    async def _watched(self, call: Call, client: Client, server: WebProcess) -> None:
        exchange = asyncio.create_task(self._exchange(call, client, server))
        departure = asyncio.create_task(client.gone())
        try:
            done, _ = await asyncio.wait(
                {exchange, departure},
                timeout=self._function.timeout_seconds,
                return_when=asyncio.FIRST_COMPLETED,
            )
        finally:
            await _cancelled(departure)
            was_done = exchange.done()
            await _cancelled(exchange)
        if was_done:
            exchange.result()
        elif departure in done:
            raise ClientGone
        else:
            raise self._timeout()

    async def _exchange(self, call: Call, client: Client, server: WebProcess) -> None:
        request = httpx.Request(
            call.method,
            f"{server.url}{call.raw_path}{'?' if call.query else ''}{call.query}",
            headers=list(self._request_headers(call)),
            content=await _content(call, client),
            extensions={"timeout": {"connect": 5.0}},
        )
        try:
            response = await self._upstream.handle_async_request(request)
            try:
                await self._pass_on(response, client)
            finally:
                await response.aclose()
        except httpx.TransportError as problem:
            name = self._function.name
            message = f"{name} broke the connection before it had answered"
            raise ProcessExited(message, function=name, detail=repr(problem)) from None

    def _request_headers(self, call: Call) -> Iterator[tuple[bytes, bytes]]:
        for name, value in call.headers:
            if name.decode("latin-1") not in {*_HOP_BY_HOP, "x-forwarded-for"}:
                yield name, value
        forwarded = call.header("x-forwarded-for")
        peers = f"{forwarded}, {call.peer}" if forwarded else call.peer
        yield b"x-forwarded-for", peers.encode()
        for text_name, text in platform_headers(self._function, call.request_id, "/http-invoke"):
            yield text_name.encode(), text.encode()

    async def _pass_on(self, response: httpx.Response, client: Client) -> None:
        sent = [(k.decode("latin-1"), v.decode("latin-1")) for k, v in response.headers.raw]
        check_headers(self._function.name, sent, passed=_PASSED)
        kept = [pair for pair in sent if pair[0].lower() not in _KEPT_BACK]
        await client.start(response.status_code, kept)
        async for chunk in response.aiter_raw():
            await client.send(chunk, more=True)
        await client.send(b"", more=False)

    def _timeout(self) -> FunctionTimeout:
        name, seconds = self._function.name, self._function.timeout_seconds
        message = f"{name} did not finish within its timeout of {seconds} s and was cut off"
        return FunctionTimeout(message, function=name)

    async def _end_if_retired(self) -> None:
        if self._retired and not self._running:
            await self.close()

    async def retire(self) -> None:
        """Let running requests finish, then end the process."""
        self._retired = True
        await self._end_if_retired()

    async def close(self) -> None:
        server, self._server = self._server, None
        if server:
            await server.process.stop()
        await self._upstream.aclose()


async def _content(call: Call, client: Client) -> AsyncIterator[bytes] | None:
    """The request body; None if it is empty, because httpx would send an empty one in chunks."""
    if call.header("transfer-encoding") or call.header("content-length") not in {"", "0"}:
        return client.chunks(MAX_BODY_BYTES)
    await read_body(client, 0)
    return None


async def _cancelled(task: "asyncio.Task[None]") -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
