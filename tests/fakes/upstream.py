"""A fake OpenAI-compatible server on a plain socket, with the faults of real upstreams.

The last user message chooses the scenario (`scenario: crlf`); anything else is
answered with SENTENCE, streamed in several chunks, with usage and `[DONE]`.
"""

import asyncio
import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import tests.fakes.upstream_calls
import tests.fakes.upstream_obedient
import tests.fakes.upstream_packages
import tests.fakes.vendor_refusals  # noqa: F401  # all register their scenarios
from tests.fakes.upstream_scenarios import (
    CACHED_TOKENS,
    COMPLETION_TOKENS,
    PIECES,
    PROMPT_TOKENS,
    SENTENCE,
    THOUGHT,
    play,
)
from tests.fakes.upstream_wire import Recorded, Wire
from tests.patience import HANG_SECONDS

__all__ = [
    "CACHED_TOKENS",
    "COMPLETION_TOKENS",
    "PIECES",
    "PROMPT_TOKENS",
    "SENTENCE",
    "THOUGHT",
    "Recorded",
    "Upstream",
    "refused_url",
    "running",
    "unreachable",
]

_POLL_SECONDS = 0.01


@dataclass
class Upstream:
    """The state of the server for tests; the server runs in a thread of its own."""

    url: str = ""
    requests: list[Recorded] = field(default_factory=list)
    connections: int = 0
    open_connections: int = 0
    abandoned: int = 0
    released: threading.Event = field(default_factory=threading.Event)
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def wait_closed(self, seconds: float = HANG_SECONDS, *, abandoned: int = 1) -> bool:
        """Wait until clients have left that many incomplete answers; return whether they did."""
        return self.wait_until(lambda: self.abandoned >= abandoned, seconds)

    def wait_until(self, condition: Callable[[], bool], seconds: float = HANG_SECONDS) -> bool:
        with self._changed:
            return self._changed.wait_for(condition, seconds)

    def note(self, **changes: int) -> None:
        with self._changed:
            for name, change in changes.items():
                setattr(self, name, getattr(self, name) + change)
            self._changed.notify_all()

    def record(self, request: Recorded) -> None:
        with self._changed:
            self.requests.append(request)
            self._changed.notify_all()


@contextmanager
def running(port: int = 0) -> Iterator[Upstream]:
    """Serve on a loopback port from a thread of its own until the block ends."""
    fake = Upstream()
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    starting = asyncio.start_server(lambda r, w: _serve(fake, r, w), "127.0.0.1", port)
    server = asyncio.run_coroutine_threadsafe(starting, loop).result(HANG_SECONDS)
    fake.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1/chat/completions"
    try:
        yield fake
    finally:
        asyncio.run_coroutine_threadsafe(_stop(server), loop).result(HANG_SECONDS)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(HANG_SECONDS)
        loop.close()


@contextmanager
def unreachable() -> Iterator[str]:
    """Give the URL of a port whose backlog is full, so that no connection is ever made."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        waiting = [socket.socket() for _ in range(4)]
        for client in waiting:
            client.setblocking(False)
            client.connect_ex(listener.getsockname())
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1/chat/completions"
        for client in waiting:
            client.close()


def refused_url() -> str:
    """Give the URL of a closed port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}/v1/chat/completions"


async def _stop(server: asyncio.AbstractServer) -> None:
    server.close()
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


async def _serve(
    fake: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    fake.note(connections=1, open_connections=1)
    try:
        with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while await _answer_one(fake, reader, writer):
                pass
    finally:
        writer.close()
        fake.note(open_connections=-1)


async def _answer_one(
    fake: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> bool:
    """Read and answer one request; return whether the connection can take another."""
    request = await _read(reader)
    fake.record(request)
    wire = Wire(writer, request, fake.released)
    answer = asyncio.ensure_future(play(wire))
    client = asyncio.ensure_future(_gone(reader, writer))
    try:
        await asyncio.wait({answer, client}, return_when=asyncio.FIRST_COMPLETED)
        if not answer.done() or isinstance(answer.exception(), ConnectionError):
            fake.note(abandoned=1)
            return False
        answer.result()
        return wire.reusable
    finally:
        answer.cancel()
        client.cancel()


async def _gone(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while not (reader.at_eof() or reader.exception() or writer.is_closing()):
        await asyncio.sleep(_POLL_SECONDS)


async def _read(reader: asyncio.StreamReader) -> Recorded:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    request_line, *lines = head.strip().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (x.partition(":") for x in lines)}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Recorded(request_line.split(" ")[1], headers, json.loads(body))
