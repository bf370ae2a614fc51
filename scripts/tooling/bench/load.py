"""A light load generator: raw HTTP requests from many concurrent clients, with their times."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast

_END = b"0\r\n\r\n"


@dataclass(frozen=True)
class Request:
    """A raw HTTP request. `token` is a text that each token of the answer contains."""

    port: int
    raw: bytes = field(repr=False)
    token: bytes


@dataclass(frozen=True)
class TimedAnswer:
    """One complete answer. Both times include connecting."""

    first_token_ms: float
    total_ms: float
    raw: bytes = field(repr=False)


class IncompleteAnswer(Exception):
    """The answer to a request is missing or incomplete."""


class _Client(asyncio.Protocol):
    def __init__(self, request: Request) -> None:
        self._request = request
        self._started = time.perf_counter()
        self._first: float | None = None
        self._raw = bytearray()
        self.answer: asyncio.Future[TimedAnswer] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.write(self._request.raw)

    def data_received(self, data: bytes) -> None:
        self._raw += data
        if self._first is None and self._request.token in data:
            self._first = self._elapsed_ms()
        if data.endswith(_END):
            self._transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        if self._first is None or not self._raw.endswith(_END):
            self.answer.set_exception(IncompleteAnswer(self._raw[-500:].decode(errors="replace")))
        else:
            self.answer.set_result(TimedAnswer(self._first, self._elapsed_ms(), bytes(self._raw)))

    def _elapsed_ms(self) -> float:
        return (time.perf_counter() - self._started) * 1000


async def ask(request: Request) -> TimedAnswer:
    """Send one request and read its answer. Raises: IncompleteAnswer, OSError."""
    loop = asyncio.get_running_loop()
    _, client_protocol = await loop.create_connection(
        lambda: _Client(request), "127.0.0.1", request.port
    )
    return await client_protocol.answer


async def ask_concurrently(
    requests: Sequence[Request], *, rounds: int, over_seconds: float
) -> list[TimedAnswer]:
    """Send each request `rounds` times, all concurrently; clients start evenly over a time."""

    async def client(number: int, request: Request) -> list[TimedAnswer]:
        await asyncio.sleep(over_seconds * number / len(requests))
        return [await ask(request) for _ in range(rounds)]

    answers = await asyncio.gather(*(client(*numbered) for numbered in enumerate(requests)))
    return [answer for of_client in answers for answer in of_client]
