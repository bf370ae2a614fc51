"""Many who ask at once, at next to no cost: raw requests, and a clock."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast

_END = b"0\r\n\r\n"


@dataclass(frozen=True)
class Request:
    """`token` is what stands in the answer wherever there is one."""

    port: int
    raw: bytes = field(repr=False)
    token: bytes


@dataclass(frozen=True)
class Heard:
    """One answer. Both times count from before the connection is made."""

    first_token_ms: float
    total_ms: float
    raw: bytes = field(repr=False)


class Unanswered(Exception):
    """A request that got no complete answer."""


class _Listener(asyncio.Protocol):
    def __init__(self, request: Request) -> None:
        self._request = request
        self._started = time.perf_counter()
        self._first: float | None = None
        self._raw = bytearray()
        self.heard: asyncio.Future[Heard] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.write(self._request.raw)

    def data_received(self, data: bytes) -> None:
        self._raw += data
        if self._first is None and self._request.token in data:
            self._first = self._passed_ms()
        if data.endswith(_END):
            self._transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        if self._first is None or not self._raw.endswith(_END):
            self.heard.set_exception(Unanswered(self._raw[-500:].decode(errors="replace")))
        else:
            self.heard.set_result(Heard(self._first, self._passed_ms(), bytes(self._raw)))

    def _passed_ms(self) -> float:
        return (time.perf_counter() - self._started) * 1000


async def ask(request: Request) -> Heard:
    """Raises: Unanswered, OSError."""
    loop = asyncio.get_running_loop()
    _, listener = await loop.create_connection(
        lambda: _Listener(request), "127.0.0.1", request.port
    )
    return await listener.heard


async def crowd(requests: Sequence[Request], *, rounds: int, over_seconds: float) -> list[Heard]:
    """Everybody asks, hears the answer out and asks again; they begin one after the other."""

    async def one(number: int, request: Request) -> list[Heard]:
        await asyncio.sleep(over_seconds * number / len(requests))
        return [await ask(request) for _ in range(rounds)]

    answers = await asyncio.gather(*(one(*numbered) for numbered in enumerate(requests)))
    return [heard for answered in answers for heard in answered]
