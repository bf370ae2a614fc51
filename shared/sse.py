"""Server-sent events to our own clients (WHATWG HTML, "Server-sent events")."""

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import suppress

PING = b": ping\n\n"


def event(number: int, name: str, data: Mapping[str, object]) -> bytes:
    """JSON keeps line breaks escaped, so one data line always does."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return f"id: {number}\nevent: {name}\ndata: {text}\n\n".encode()


async def with_pings(
    source: AsyncGenerator[bytes, None], every_seconds: float
) -> AsyncGenerator[bytes, None]:
    """Pass the source on, with a comment whenever it is silent for too long.

    Proxies and mini programs close connections on which nothing moves. Closing
    this closes the source, wherever it waits.
    """
    pieces: asyncio.Queue[bytes | None] = asyncio.Queue()
    pump = asyncio.create_task(_pump(source, pieces))
    try:
        while (piece := await _next(pieces, every_seconds)) is not None:
            yield piece
        await pump
    finally:
        pump.cancel()
        with suppress(asyncio.CancelledError):
            await pump


async def _pump(source: AsyncGenerator[bytes, None], pieces: asyncio.Queue[bytes | None]) -> None:
    """One task runs the source from its first step to its last; its time limits need that."""
    try:
        async for piece in source:
            pieces.put_nowait(piece)
    finally:
        await source.aclose()
        pieces.put_nowait(None)


async def _next(pieces: asyncio.Queue[bytes | None], seconds: float) -> bytes | None:
    try:
        return await asyncio.wait_for(pieces.get(), seconds)
    except asyncio.TimeoutError:
        return PING
