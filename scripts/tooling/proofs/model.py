"""A model whose answers can all be held at one moment: before, in, or after their words."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

WORDS = 30
_SECONDS_PER_WORD = 0.02
BEFORE, MIDDLE, LAST = 0, WORDS // 2, WORDS
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"


def answer_to(question: str) -> str:
    return "".join(_words(question))


def _words(question: str) -> list[str]:
    return [f"{question}词{number} " for number in range(WORDS)]


class Model:
    """Answers `question N` with words of its own; `hold` stops answers after so many words."""

    def __init__(self) -> None:
        self.port = 0
        self.calls = 0
        self._hold_at = -1
        self._held = 0
        self._free = asyncio.Event()
        self._arrived = asyncio.Condition()

    def hold(self, words: int) -> None:
        self._hold_at, self._held = words, 0
        self._free.clear()

    async def wait_held(self, count: int) -> None:
        async with self._arrived:
            await self._arrived.wait_for(lambda: self._held >= count)

    def release(self) -> None:
        self._hold_at = -1
        self._free.set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            question = _question(await _read(reader))
            self.calls += 1
            writer.write(_HEAD)
            for number, word in enumerate(_words(question)):
                await self._pass(number)
                writer.write(_event({"delta": {"content": word}}))
                await writer.drain()
                await asyncio.sleep(_SECONDS_PER_WORD)
            await self._pass(LAST)
            writer.write(_event({"delta": {}, "finish_reason": "stop"}) + b"data: [DONE]\n\n")
            await writer.drain()
        writer.close()

    async def _pass(self, words: int) -> None:
        if words != self._hold_at:
            return
        async with self._arrived:
            self._held += 1
            self._arrived.notify_all()
        await self._free.wait()


async def _read(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    length = re.search(rb"(?i)content-length: *(\d+)", head)
    return await reader.readexactly(int(length[1])) if length else b""


def _question(body: bytes) -> str:
    return str(json.loads(body)["messages"][-1]["content"])


def _event(choice: dict[str, object]) -> bytes:
    return b"data: " + json.dumps({"choices": [{"index": 0, **choice}]}).encode() + b"\n\n"


@asynccontextmanager
async def model() -> AsyncIterator[Model]:
    made = Model()
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        made.release()
        server.close()
