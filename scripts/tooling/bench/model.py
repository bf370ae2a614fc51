"""A fake model server: answers of 100 tokens at 50 per second, or of 5 tokens at once."""

import argparse
import asyncio
import json
import re
import socket
from contextlib import suppress
from typing import cast

TOKENS = [f"token{number:03} " for number in range(100)]
SECONDS_PER_TOKEN = 1 / 50

FEW_TOKENS = TOKENS[:5]

_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
_END = b"0\r\n\r\n"


def _usage(completion: int) -> dict[str, int]:
    total = 20 + completion
    return {"prompt_tokens": 20, "completion_tokens": completion, "total_tokens": total}


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


def _last_chunks(completion: int) -> bytes:
    usage = _document([], usage=_usage(completion))
    return _delta_chunk({}, "stop") + usage + _chunk("[DONE]") + _END


def _whole_answer(tokens: list[str]) -> bytes:
    message = {"role": "assistant", "content": "".join(tokens)}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    body = json.dumps({"choices": [choice], "usage": _usage(len(tokens))}).encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    return head.encode() + b"\r\n" + body


_TOKEN_CHUNKS = [_delta_chunk({"content": token}) for token in TOKENS]
_LAST = _last_chunks(len(TOKENS))
_FIRST = _HEAD + _delta_chunk({"role": "assistant"})
_FEW_STREAMED = _FIRST + b"".join(_TOKEN_CHUNKS[:5]) + _last_chunks(len(FEW_TOKENS))
_FEW_WHOLE = _whole_answer(FEW_TOKENS)


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
            self._answer(body)

    def _answer(self, body: bytes) -> None:
        self._transport.write(_FIRST)
        self._schedule(0, self._loop.time() + SECONDS_PER_TOKEN)

    def _schedule(self, number: int, at: float) -> None:
        self._next = self._loop.call_at(at, self._send_token, number, at)

    def _send_token(self, number: int, at: float) -> None:
        if number == len(_TOKEN_CHUNKS):
            self._transport.write(_LAST)
        else:
            self._transport.write(_TOKEN_CHUNKS[number])
            self._schedule(number + 1, at + SECONDS_PER_TOKEN)


class _AtOnce(_Connection):
    """Sends a whole answer in one write, as a stream if the request asks for one."""

    def _answer(self, body: bytes) -> None:
        is_streamed = json.loads(body).get("stream")
        self._transport.write(_FEW_STREAMED if is_streamed else _FEW_WHOLE)


async def _serve(connection: type[_Connection]) -> None:
    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
    server = await asyncio.get_running_loop().create_server(connection, sock=listener)
    print(listener.getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--at-once", action="store_true", help="5 tokens, without waiting")
    with suppress(KeyboardInterrupt):
        asyncio.run(_serve(_AtOnce if parser.parse_args().at_once else _Connection))
