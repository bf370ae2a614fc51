"""Server-sent events for our clients (WHATWG HTML, "Server-sent events")."""

import asyncio
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import suppress

from shared.json_line import json_line

PING = b": ping\n\n"
# Common readers refuse a line over 64 KiB, and some one over 32. A character takes up to 6 bytes,
# which leaves 2 KiB for the rest of the line.
_MOST_CHARACTERS = 5 * 1024


def event(id_: str, name: str, data: Mapping[str, object]) -> bytes:
    """One event. JSON escapes line breaks, so one data line is enough."""
    return f"id: {id_}\nevent: {name}\n".encode() + nameless_event(data)


def nameless_event(data: Mapping[str, object]) -> bytes:
    """One event of nothing but data."""
    return f"data: {json_line(data)}\n\n".encode()


def parts(text: str) -> Iterator[str]:
    """The text in parts, each short enough for one event."""
    for start in range(0, len(text), _MOST_CHARACTERS):
        yield text[start : start + _MOST_CHARACTERS]


async def with_pings(
    source: AsyncGenerator[bytes, None], every_seconds: float
) -> AsyncGenerator[bytes, None]:
    """Yield the source's chunks, and a comment after every silence of `every_seconds`.

    Proxies and mini programs close idle connections. Chunks that arrive together
    are yielded together. Closing this generator closes the source, even while the
    source waits.
    """
    queue = _ChunkQueue(every_seconds)
    pump = asyncio.create_task(_pump(source, queue))
    try:
        while chunk := await queue.next():
            yield chunk
        await pump
    finally:
        queue.close()
        pump.cancel()
        with suppress(asyncio.CancelledError):
            await pump


async def _pump(source: AsyncGenerator[bytes, None], queue: "_ChunkQueue") -> None:
    """Run the source in one task from start to end, as its time limits require."""
    try:
        async for chunk in source:
            queue.put(chunk)
    finally:
        await source.aclose()
        queue.end()


class _ChunkQueue:
    """Chunks from one task to another. One timer serves all chunks, for pings in silences."""

    def __init__(self, every_seconds: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._every_seconds = every_seconds
        self._waiting: list[bytes] = []
        self._ended = False
        self._reader: asyncio.Future[None] | None = None
        self._silent_since = self._loop.time()
        self._timer = self._loop.call_later(every_seconds, self._ping_if_silent)

    def put(self, chunk: bytes) -> None:
        if chunk:  # `next` returns an empty chunk at the end
            self._waiting.append(chunk)
            self._wake()

    def end(self) -> None:
        self._ended = True
        self._wake()

    def close(self) -> None:
        self._timer.cancel()

    async def next(self) -> bytes:
        """All chunks since the last call, joined; empty at the end."""
        while not self._waiting and not self._ended:
            self._reader = self._loop.create_future()
            await self._reader
        self._silent_since = self._loop.time()
        joined = b"".join(self._waiting)
        self._waiting.clear()
        return joined

    def _ping_if_silent(self) -> None:
        due = self._silent_since + self._every_seconds
        if due <= self._loop.time():
            self.put(PING)
            due = self._loop.time() + self._every_seconds
        self._timer = self._loop.call_at(due, self._ping_if_silent)

    def _wake(self) -> None:
        if self._reader and not self._reader.done():
            self._reader.set_result(None)
