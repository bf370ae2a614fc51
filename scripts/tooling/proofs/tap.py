"""A TCP proxy before the database that acts when a statement passes for the nth time."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any


@dataclass
class Trigger:
    """Acts at the nth `statement` of a connection that has sent `after` since its BEGIN.

    Both may travel in one packet, with the statement behind.
    The statement does not reach the database; with `at_reply` it does, and its reply is lost.
    """

    statement: bytes
    act: Callable[[], Coroutine[Any, Any, None]]
    after: bytes = b""
    nth: int = 1
    at_reply: bool = False

    def is_due(self, sent: bytes, data: bytes) -> bool:
        before, found, _ = data.partition(self.statement)
        if self.nth and found and self.after in sent + before:
            self.nth -= 1
            return not self.nth
        return False


class Tap:
    """Forwards bytes to the database; `trigger` is looked for in what the clients send."""

    def __init__(self, target_port: int) -> None:
        self._target_port = target_port
        self.port = 0
        self.trigger: Trigger | None = None
        self._acting: asyncio.Future[None] | None = None

    async def act(self, trigger: Trigger) -> None:
        """Act to the end, also if the act ends the connection that caused it."""
        self._acting = asyncio.ensure_future(trigger.act())
        await asyncio.shield(self._acting)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far = await asyncio.open_connection("127.0.0.1", self._target_port)
        except OSError:
            writer.transport.abort()
            return
        connection = _Connection(self, (reader, writer), far)
        await connection.run()


class _Connection:
    def __init__(
        self,
        tap: Tap,
        near: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        far: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    ) -> None:
        self._tap, self._near, self._far = tap, near, far
        self._sent = b""
        self._lost: Trigger | None = None

    async def run(self) -> None:
        ways = {asyncio.create_task(self._requests()), asyncio.create_task(self._replies())}
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            for _, writer in (self._near, self._far):
                writer.transport.abort()

    async def _requests(self) -> None:
        with suppress(OSError):
            while data := await self._near[0].read(65536):
                if b"START TRANSACTION" in data:
                    self._sent = b""
                trigger = self._tap.trigger
                if trigger and trigger.is_due(self._sent, data):
                    if not trigger.at_reply:
                        await self._tap.act(trigger)
                        break
                    self._lost = trigger
                self._sent += data
                self._far[1].write(data)
                await self._far[1].drain()

    async def _replies(self) -> None:
        with suppress(OSError):
            while data := await self._far[0].read(65536):
                if self._lost:
                    await self._tap.act(self._lost)
                    break
                self._near[1].write(data)
                await self._near[1].drain()


@asynccontextmanager
async def tap_before(port: int) -> AsyncIterator[Tap]:
    tap = Tap(port)
    server = await asyncio.start_server(tap.serve, "127.0.0.1", 0)
    tap.port = server.sockets[0].getsockname()[1]
    try:
        yield tap
    finally:
        server.close()
