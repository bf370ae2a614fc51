"""A stand-in for a model: every answer is 100 tokens, 50 of them a second."""

import asyncio
import json
import re
import socket
from contextlib import suppress
from typing import cast

TOKENS = [f"token{number:03} " for number in range(100)]
SECONDS_PER_TOKEN = 1 / 50

_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
_END = b"0\r\n\r\n"
_USAGE = {"prompt_tokens": 20, "completion_tokens": len(TOKENS), "total_tokens": 20 + len(TOKENS)}


def _chunk(data: str) -> bytes:
    line = f"data: {data}\n\n".encode()
    return b"%x\r\n%s\r\n" % (len(line), line)


def _document(choices: list[dict[str, object]], **more: object) -> bytes:
    document = {
        "id": "chatcmpl-0123456789abcdef",
        "object": "chat.completion.chunk",
        "created": 1750000000,
        "model": "fixed-rate",
        "choices": choices,
        **more,
    }
    return _chunk(json.dumps(document))


def _said(delta: dict[str, str], reason: str | None = None) -> bytes:
    return _document([{"index": 0, "delta": delta, "finish_reason": reason}])


_SPOKEN = [_said({"content": token}) for token in TOKENS]
_LAST = _said({}, "stop") + _document([], usage=_USAGE) + _chunk("[DONE]") + _END


class _Connection(asyncio.Protocol):
    """Each token has its own moment, so that one late timer does not delay those after it."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._asked = b""
        self._next: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, _: Exception | None) -> None:
        if self._next:
            self._next.cancel()

    def data_received(self, data: bytes) -> None:
        self._asked += data
        head, complete, body = self._asked.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: *(\d+)", head)
        if complete and len(body) >= int(length[1] if length else 0):
            self._asked = b""
            self._transport.write(_HEAD + _said({"role": "assistant"}))
            self._later(0, self._loop.time() + SECONDS_PER_TOKEN)

    def _later(self, number: int, at: float) -> None:
        self._next = self._loop.call_at(at, self._say, number, at)

    def _say(self, number: int, at: float) -> None:
        if number == len(_SPOKEN):
            self._transport.write(_LAST)
        else:
            self._transport.write(_SPOKEN[number])
            self._later(number + 1, at + SECONDS_PER_TOKEN)


async def _serve() -> None:
    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
    server = await asyncio.get_running_loop().create_server(_Connection, sock=listener)
    print(listener.getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        asyncio.run(_serve())
