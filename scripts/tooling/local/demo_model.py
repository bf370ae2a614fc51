"""A small OpenAI-compatible server, the local demo model; its answers say that they are canned."""

import argparse
import asyncio
import json
import re
import socket
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any

import uvicorn

from scripts.tooling.local.demo_answers import answer_to, text_of
from shared.llm.estimate import estimate_tokens

MODEL = "demo"
_MOST_BODY_BYTES = 16 * 1024 * 1024  # 10 MiB of pictures as data
_BODY_SECONDS = 10
_ANSWER_SECONDS = 60
_BETWEEN_WORDS_SECONDS = 0.02
_WORDS = re.compile(r"[\u2e80-\U0010ffff]{1,2}|[^\s\u2e80-\U0010ffff]*\s|[^\s\u2e80-\U0010ffff]+")

Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


class InvalidRequest(Exception):
    """An invalid request, with the status, code and message of the answer."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.body = {"error": {"message": message, "type": "invalid_request_error", "code": code}}


async def app(scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
    try:
        await asyncio.wait_for(_serve(scope, receive, send), _ANSWER_SECONDS)
    except InvalidRequest as refused:
        await _send_json(send, refused.status, refused.body)


async def _serve(scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
    route = (scope["method"], scope["path"].rstrip("/"))
    if route == ("GET", "/v1/models"):
        model = {"id": MODEL, "object": "model", "created": 0, "owned_by": "fc-ai-backend"}
        await _send_json(send, 200, {"object": "list", "data": [model]})
    elif route == ("POST", "/v1/chat/completions"):
        await _complete(_parse(await _read(receive)), send)
    else:
        raise InvalidRequest(
            404, "not_found", "The demo model has /v1/chat/completions and /v1/models."
        )


async def _read(receive: Receive) -> bytes:
    body, more = bytearray(), True
    while more:
        try:
            message = await asyncio.wait_for(receive(), _BODY_SECONDS)
        except asyncio.TimeoutError:
            raise InvalidRequest(408, "timeout", "The body did not arrive in time.") from None
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > _MOST_BODY_BYTES:
            raise InvalidRequest(413, "too_large", "The body is over 16 MiB.")
    return bytes(body)


def _parse(body: bytes) -> dict[str, Any]:
    try:
        question = json.loads(body)
    except (ValueError, RecursionError):
        raise InvalidRequest(400, "malformed_json", "The body is not valid JSON.") from None
    messages = question.get("messages") if isinstance(question, dict) else None
    if not isinstance(messages, list) or not all(isinstance(x, dict) for x in messages):
        raise InvalidRequest(400, "invalid_messages", "messages must be a list of objects.")
    return {**question, "messages": messages}


async def _complete(question: Mapping[str, Any], send: Send) -> None:
    texts = [text_of(message.get("content")) for message in question["messages"]]
    answer = answer_to(question)
    prompt, completion = sum(map(estimate_tokens, texts)), estimate_tokens(answer)
    usage = {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
    }
    if question.get("stream"):
        options = question.get("stream_options")
        counted = isinstance(options, dict) and options.get("include_usage")
        await _stream(answer, usage if counted else None, send)
        return
    choice = {"message": {"role": "assistant", "content": answer}, "finish_reason": "stop"}
    document = _document("chat.completion", [{"index": 0, **choice}], usage=usage)
    await _send_json(send, 200, document)


def _document(kind: str, choices: list[dict[str, Any]], **more: object) -> dict[str, Any]:
    made = {"id": f"demo-{uuid.uuid4().hex}", "object": kind, "created": int(time.time())}
    return {**made, "model": MODEL, "choices": choices, **more}


async def _stream(answer: str, usage: Mapping[str, int] | None, send: Send) -> None:
    await _send_head(send, 200, b"text/event-stream; charset=utf-8")
    for document in _chunks(answer, usage):
        line = f"data: {json.dumps(document, ensure_ascii=False)}\n\n"
        await send({"type": "http.response.body", "body": line.encode(), "more_body": True})
        await asyncio.sleep(_BETWEEN_WORDS_SECONDS)
    await send({"type": "http.response.body", "body": b"data: [DONE]\n\n"})


def _chunks(answer: str, usage: Mapping[str, int] | None) -> Iterator[dict[str, Any]]:
    opening = _document("chat.completion.chunk", [])
    deltas = [{"role": "assistant", "content": ""}, *({"content": x} for x in words(answer)), {}]
    for at, delta in enumerate(deltas):
        reason = "stop" if at == len(deltas) - 1 else None
        yield {**opening, "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}
    if usage:
        yield {**opening, "usage": usage}


def words(text: str) -> list[str]:
    """Split into words with their spaces, and into one or two Chinese characters."""
    return _WORDS.findall(text)


async def _send_json(send: Send, status: int, document: Mapping[str, Any]) -> None:
    await _send_head(send, status, b"application/json")
    body = json.dumps(document, ensure_ascii=False).encode()
    await send({"type": "http.response.body", "body": body})


async def _send_head(send: Send, status: int, content_type: bytes) -> None:
    headers = [(b"content-type", content_type), (b"cache-control", b"no-cache")]
    await send({"type": "http.response.start", "status": status, "headers": headers})


def main() -> None:
    arguments = argparse.ArgumentParser(prog="demo_model", description=__doc__)
    arguments.add_argument("--port", type=int, required=True, help="0 takes any free port")
    port = arguments.parse_args().port
    config = uvicorn.Config(
        app,
        lifespan="off",
        log_level="warning",
        limit_concurrency=200,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=1,
    )
    with socket.create_server(("127.0.0.1", port)) as listener, suppress(KeyboardInterrupt):
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
        print(f"demo model (NOT a real AI model) at {url}", flush=True)
        uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
