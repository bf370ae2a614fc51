"""A fake model server: each answer has 100 tokens, sent at 50 per second."""

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


def _delta_chunk(delta: dict[str, str], reason: str | None = None) -> bytes:
    return _document([{"index": 0, "delta": delta, "finish_reason": reason}])


_TOKEN_CHUNKS = [_delta_chunk({"content": token}) for token in TOKENS]
_LAST = _delta_chunk({}, "stop") + _document([], usage=_USAGE) + _chunk("[DONE]") + _END


class _Connection(asyncio.Protocol):
    """Sends each token at a fixed time, so that one late timer does not delay the others."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._received = b""
        self._next: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, _: Exception | None) -> None:
        if self._next:
            self._next.cancel()

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, complete, body = self._received.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: *(\d+)", head)
        if complete and len(body) >= int(length[1] if length else 0):
            self._received = b""
            self._transport.write(_HEAD + _delta_chunk({"role": "assistant"}))
            self._schedule(0, self._loop.time() + SECONDS_PER_TOKEN)

    def _schedule(self, number: int, at: float) -> None:
        self._next = self._loop.call_at(at, self._send_token, number, at)

    def _send_token(self, number: int, at: float) -> None:
        if number == len(_TOKEN_CHUNKS):
            self._transport.write(_LAST)
        else:
            self._transport.write(_TOKEN_CHUNKS[number])
            self._schedule(number + 1, at + SECONDS_PER_TOKEN)


async def _serve() -> None:
    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
    server = await asyncio.get_running_loop().create_server(_Connection, sock=listener)
    print(listener.getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        asyncio.run(_serve())
