"""Server-sent events to our own clients (WHATWG HTML, "Server-sent events")."""

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import suppress

PING = b": ping\n\n"
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def event(id_: str, name: str, data: Mapping[str, object]) -> bytes:
    """JSON keeps line breaks escaped, so one data line always does."""
    return f"id: {id_}\nevent: {name}\ndata: {_encode(data)}\n\n".encode()


async def with_pings(
    source: AsyncGenerator[bytes, None], every_seconds: float
) -> AsyncGenerator[bytes, None]:
    """Pass the source on, with a comment whenever it is silent for too long.

    Proxies and mini programs close connections on which nothing moves. What
    comes together is passed on together. Closing this closes the source,
    wherever it waits.
    """
    pieces = _Pieces(every_seconds)
    pump = asyncio.create_task(_pump(source, pieces))
    try:
        while piece := await pieces.next():
            yield piece
        await pump
    finally:
        pieces.close()
        pump.cancel()
        with suppress(asyncio.CancelledError):
            await pump


async def _pump(source: AsyncGenerator[bytes, None], pieces: "_Pieces") -> None:
    """One task runs the source from its first step to its last; its time limits need that."""
    try:
        async for piece in source:
            pieces.put(piece)
    finally:
        await source.aclose()
        pieces.end()


class _Pieces:
    """What one task says and another hears. One timer rings however much is said."""

    def __init__(self, every_seconds: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._every_seconds = every_seconds
        self._waiting: list[bytes] = []
        self._ended = False
        self._hearer: asyncio.Future[None] | None = None
        self._silent_since = self._loop.time()
        self._timer = self._loop.call_later(every_seconds, self._ring)

    def put(self, piece: bytes) -> None:
        if piece:  # nothing at all would be taken for the end
            self._waiting.append(piece)
            self._wake()

    def end(self) -> None:
        self._ended = True
        self._wake()

    def close(self) -> None:
        self._timer.cancel()

    async def next(self) -> bytes:
        """Everything since the last time, or nothing at the end."""
        while not self._waiting and not self._ended:
            self._hearer = self._loop.create_future()
            await self._hearer
        self._silent_since = self._loop.time()
        said = b"".join(self._waiting)
        self._waiting.clear()
        return said

    def _ring(self) -> None:
        due = self._silent_since + self._every_seconds
        if due <= self._loop.time():
            self.put(PING)
            due = self._loop.time() + self._every_seconds
        self._timer = self._loop.call_at(due, self._ring)

    def _wake(self) -> None:
        if self._hearer and not self._hearer.done():
            self._hearer.set_result(None)
