"""Answers of the fake upstream: one scenario per name."""

import asyncio
import base64
import gzip
import json
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta, timezone

from tests.fakes.upstream_requests import complaint_about
from tests.fakes.upstream_wire import Wire

PIECES = ("你好", "，我是测试模型。", "今天想聊些什么？😀")
SENTENCE = "".join(PIECES)
THOUGHT = "用户在打招呼。"
PROMPT_TOKENS, COMPLETION_TOKENS = 11, 17
USAGE = {
    "prompt_tokens": PROMPT_TOKENS,
    "completion_tokens": COMPLETION_TOKENS,
    "total_tokens": PROMPT_TOKENS + COMPLETION_TOKENS,
}
CACHED_TOKENS = 8
CACHED = {"prompt_tokens_details": {"cached_tokens": CACHED_TOKENS}}  # OpenAI, DashScope
REASONING = {"completion_tokens_details": {"reasoning_tokens": 9}}
CACHED_ALIAS = {"prompt_cache_hit_tokens": CACHED_TOKENS}  # DeepSeek

Scenario = Callable[[Wire], Awaitable[None]]
SCENARIOS: dict[str, Scenario] = {}
# Scenarios that only a time limit ends; all others need no time limit.
FALLS_SILENT = {
    *("silence", "slow-headers", "no-first-byte", "stall", "stall-in-reasoning"),
    "stalled-refusal",
    *("silence-after-finish", "silence-after-usage", "silence-before-done"),
    "silence-inside-a-character",
}


async def play(wire: Wire) -> None:
    """Answer as the scenario says, or refuse a request that OpenAI would refuse."""
    complaint = complaint_about(wire.request.json)
    if complaint:
        await wire.head(400, "application/json")
        await wire.send(error(complaint, "invalid_request_error").encode())
        await wire.end()
        return
    await SCENARIOS.get(wire.request.scenario, SCENARIOS["unknown-scenario"])(wire)


def scenario(name: str) -> Callable[[Scenario], Scenario]:
    def register(function: Scenario) -> Scenario:
        SCENARIOS[name] = function
        return function

    return register


def streamed(name: str, *segments: bytes, content_type: str = "text/event-stream") -> None:
    """Register a stream that is sent in these segments and then ends properly."""

    @scenario(name)
    async def _(wire: Wire) -> None:
        await wire.head(200, content_type)
        await wire.send(*segments)
        await wire.end()


def whole(
    name: str, status: int, body: bytes | str, *headers: str, kind: str = "application/json"
) -> None:
    """Register an answer of one JSON document."""

    @scenario(name)
    async def _(wire: Wire) -> None:
        await wire.head(status, kind, *headers)
        await wire.send(body.encode() if isinstance(body, str) else body)
        await wire.end()


def event(document: object) -> bytes:
    return b"data: " + json.dumps(document, ensure_ascii=False).encode() + b"\n\n"


def chunk(delta: object, reason: object = None, **more: object) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": reason}
    return event({"id": "c-1", "object": "chat.completion.chunk", "choices": [choice], **more})


def said(text: object) -> bytes:
    return chunk({"content": text})


def error(message: str, code: object = "bad") -> str:
    return json.dumps({"error": {"message": message, "type": "x", "code": code}})


def completion(message: object, **more: object) -> str:
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return json.dumps({"id": "c-1", "choices": [choice], "usage": USAGE, **more})


OPENING = chunk({"role": "assistant", "content": ""})
WORDS = tuple(said(piece) for piece in PIECES)
STOP = chunk({}, "stop")
COUNTED = event({"choices": [], "usage": USAGE})
DONE = b"data: [DONE]\n\n"
PLAIN = (OPENING, *WORDS, STOP, COUNTED, DONE)
WHOLE = b"".join(PLAIN)
TOOL_CALL = {
    "tool_calls": [{"index": 0, "id": "t", "function": {"name": "clock", "arguments": '{"a": 1}'}}]
}


def _on_data_lines(document: object) -> bytes:
    lines = json.dumps(document, indent=1).encode().split(b"\n")
    return b"".join(b"data: " + line + b"\n" for line in lines) + b"\n"


# Irregular, but complete answers.
streamed("plain", *PLAIN)
streamed("one-segment", WHOLE)
streamed("one-character", OPENING, said("好"), STOP, COUNTED, DONE)
streamed("crlf", *WHOLE.replace(b"\n", b"\r\n").splitlines(keepends=True))
streamed("crlf-split", *WHOLE.replace(b"\n", b"\r\x00\n").split(b"\x00"))
streamed("lone-cr", WHOLE.replace(b"\n", b"\r"))
streamed("no-space", WHOLE.replace(b"data: ", b"data:"))
streamed("split-characters", *[WHOLE[at : at + 1] for at in range(len(WHOLE))])
streamed("byte-order-mark", b"\xef", b"\xbb\xbf" + WORDS[0], *PLAIN[2:])
streamed("comments", b": hello\n\n", *[x for word in PLAIN for x in (word, b": ping\n\n:\n")])
streamed("fields", *[b"event: message\nid: 7\nretry: 9\nnonsense\n" + word for word in PLAIN])
streamed("data-lines", *[_on_data_lines(json.loads(x[5:])) for x in PLAIN[:-1]], DONE)
streamed("single-newlines", *[word.replace(b"\n\n", b"\n") for word in PLAIN])
streamed("single-crlf", *[word.replace(b"\n\n", b"\r\n") for word in PLAIN])
streamed("no-done", *PLAIN[:-1])
streamed("no-last-blank-line", *PLAIN[:-2], COUNTED.rstrip())
streamed("after-done", *PLAIN, said("too late"), event({"error": {"message": "too late"}}))
streamed("no-finish-reason", *WORDS, COUNTED, DONE)
streamed("blank-finish-reasons", *[chunk({"content": x}, "") for x in PIECES], *PLAIN[-3:])
streamed("no-usage", *WORDS, STOP, DONE)
streamed("early-usage", *WORDS[:2], chunk({"content": PIECES[2]}, usage=USAGE), STOP, DONE)
streamed("cached", *PLAIN[:-2], event({"choices": [], "usage": {**USAGE, **CACHED}}), DONE)
streamed("cached-alias", *PLAIN[:-2], event({"usage": {**USAGE, **CACHED_ALIAS}}), DONE)
streamed(
    "cached-nonsense",
    *PLAIN[:-2],
    event({"usage": {**USAGE, "prompt_tokens_details": [8], "prompt_cache_hit_tokens": -8}}),
    DONE,
)
streamed(
    "cached-too-much",
    *PLAIN[:-2],
    event({"usage": {**USAGE, "prompt_tokens_details": {"cached_tokens": 1000}}}),
    DONE,
)
streamed("choice-usage", *WORDS, event({"choices": [{"finish_reason": "stop", "usage": USAGE}]}))
streamed(
    "growing-usage",
    chunk({"content": PIECES[0]}, usage={"prompt_tokens": 11, "completion_tokens": 1}),
    *PLAIN[2:],
)
streamed(
    "reasoning-counted-beside",
    chunk({"reasoning_content": THOUGHT}),
    *PLAIN[:-2],
    event({"usage": {**USAGE, "total_tokens": 48, **REASONING}}),
    DONE,
)
streamed(
    "reasoning-counted-inside",
    chunk({"reasoning_content": THOUGHT}),
    *PLAIN[:-2],
    event({"usage": {**USAGE, **REASONING}}),
    DONE,
)
streamed(
    "shrinking-usage",
    *PLAIN[:-2],
    event({"usage": {"prompt_tokens": 11, "completion_tokens": 40}}),
    event({"usage": {"prompt_tokens": 11, "completion_tokens": 0}}),
    DONE,
)
streamed(
    "zero-usage",
    *PLAIN[:-2],
    event({"usage": {"prompt_tokens": 11, "completion_tokens": 0, "total_tokens": 11}}),
    DONE,
)
streamed(
    "outdated-usage",
    chunk({"content": PIECES[0]}, usage={"prompt_tokens": 11, "completion_tokens": 1}),
    *WORDS[1:],
    STOP,
    DONE,
)
streamed("null-usage", *[chunk({"content": x}, usage=None) for x in PIECES], *PLAIN[-3:])
streamed("choices-null", event({"choices": None}), *PLAIN)
streamed("delta-null", chunk(None), *PLAIN)
streamed("content-null", chunk({"content": None}), *PLAIN)
streamed("content-parts", said([{"type": "text", "text": PIECES[0]}, PIECES[1]]), *PLAIN[3:])
streamed("other-choices", event({"choices": [{"index": 1, "delta": {"content": "x"}}]}), *PLAIN)
streamed("long-finish-reason", *WORDS, chunk({}, "x" * 100), COUNTED, DONE)
streamed("half-character", said("").replace(b'""', rb'"\ud83d\ude00, \ud83d"'), STOP, DONE)
streamed("only-reasoning-and-stop", chunk({"reasoning_content": THOUGHT}), STOP, DONE)
streamed("no-text-but-a-reason", OPENING, chunk({}, "content_filter"), DONE)
streamed("only-a-tool-call", chunk(TOOL_CALL), chunk({}, "tool_calls"), DONE)
streamed("reasoning", chunk({"reasoning_content": THOUGHT, "content": None}), *PLAIN)
streamed("reasoning-alias", chunk({"reasoning": THOUGHT}), *PLAIN)
streamed("typed-as-json", *PLAIN, content_type="application/json")
streamed("opens-like-html", b"<!-- hello -->\n\n", *PLAIN)
streamed(
    "malformed-lines",
    b"{broken\n\n",
    *[x for word in PLAIN for x in (b"data: {broken\n\ndata\n\n", word, b"data: \xff\n\n")],
)
streamed(
    "wrong-types",
    *[event(x) for x in (7, "text", [1], None, True, {"choices": 7}, {"choices": [7, None]})],
    *[event({"choices": [{"delta": [x], "finish_reason": x}]}) for x in (7, [7], {"x": 7})],
    *[chunk({"content": [x, 7], "reasoning_content": x}) for x in (7, {"text": 7}, {"x": "x"})],
    *[said(x) for x in ([["nested"]], [{"text": ["nested"]}], {"text": "not a list"})],
    *[event({"usage": [x]}) for x in (7, None)],
    event({"usage": {"prompt_tokens": "1", "completion_tokens": True}}),
    event({"usage": {"prompt_tokens": -1, "completion_tokens": 2**70}}),
    b"data: " + b"[" * 100_000 + b"\n\n",
    b"data: " + b"1" * 100_000 + b"\n\n",
    *PLAIN,
)
# Characters at which some reader ends a line, and one delta of the most bytes per character.
LINE_ENDS = "".join(f"{one}|" for one in "\n\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029")
HUGE = "\u2028\x01😀长" * 4_000
streamed("line-ends", said(LINE_ENDS), chunk({"reasoning_content": LINE_ENDS}), STOP, DONE)
streamed("huge-delta", said(HUGE), STOP, DONE)
COMPLETION = event(json.loads(completion({"content": SENTENCE}, object="chat.completion")))
streamed("completion-as-event", COMPLETION, DONE)
streamed("completion-as-event-without-done", COMPLETION)
streamed("completion-repeats-deltas", *WORDS, COMPLETION, DONE)
streamed("refusal", *[chunk({"content": None, "refusal": x}) for x in PIECES], STOP, DONE)
whole("json-refusal", 200, completion({"content": None, "refusal": SENTENCE}))
whole("json", 200, completion({"content": SENTENCE}))
whole("json-of-any-length", 200, completion({"content": "长" * 20_000}))
whole("json-without-reason", 200, completion({"content": SENTENCE}).replace('"stop"', "null"))
whole("cookies", 200, completion({"content": SENTENCE}), "Set-Cookie: node=7; Path=/")
whole("json-after-blank-lines", 200, "\n\n \n" + completion({"content": SENTENCE}))
whole("json-typed-as-stream", 200, completion({"content": SENTENCE}), kind="text/event-stream")
whole("json-reasoning", 200, completion({"content": SENTENCE, "reasoning_content": THOUGHT}))
whole("compressed", 200, gzip.compress(WHOLE), "Content-Encoding: gzip", kind="text/event-stream")


@scenario("no-end-after-done")
async def _(wire: Wire) -> None:
    await wire.head()
    await wire.send(*PLAIN)
    await _forever()


@scenario("silence-after-finish")
async def _(wire: Wire) -> None:
    await wire.head()
    await wire.send(*WORDS, STOP)
    await _forever()


@scenario("silence-after-usage")
async def _(wire: Wire) -> None:
    await wire.head()
    await wire.send(*WORDS, STOP, COUNTED)
    await _forever()


@scenario("silence-before-done")
async def _(wire: Wire) -> None:
    await wire.head()
    await wire.send(*PLAIN[:-1], DONE[:9])
    await _forever()


@scenario("silence-inside-a-character")
async def _(wire: Wire) -> None:
    await wire.head()
    await wire.send(WORDS[0], WORDS[1][: WORDS[1].index("测".encode()) + 1])
    await _forever()


@scenario("cut-after-finish")
async def _(wire: Wire) -> None:
    await wire.head()
    await wire.send(*WORDS, STOP)
    wire.cut()


@scenario("pings-before-the-answer")
async def _(wire: Wire) -> None:
    """Take two seconds in total, but never pause for one second."""
    await wire.head()
    for _ in range(8):
        await wire.send(b": ping\n\n")
        await asyncio.sleep(0.25)
    await wire.send(*PLAIN)
    await wire.end()


def held(name: str, before: tuple[bytes, ...], after: tuple[bytes, ...]) -> None:
    """Register an answer that the test releases in its middle; it never pauses for long."""

    @scenario(name)
    async def _(wire: Wire) -> None:
        await wire.head()
        await wire.send(*before)
        while not wire.released.is_set():
            await wire.send(b": ping\n\n")
            await asyncio.sleep(0.05)
        await wire.send(*after)
        await wire.end()


held("held", (), PLAIN)
held("held-midway", PLAIN[:2], PLAIN[2:])
held("held-and-long", (), (said("很" * 250_000), said("长" * 250_000), STOP, DONE))


# Error responses.
for _status in (400, 401, 403, 404, 408, 422, 429, 500, 502, 503, 504):
    whole(f"status-{_status}", _status, error("The vendor's words.", f"code_{_status}"))
# The product waits as long between attempts, so the figures are small.
whole("retry-after", 429, error("Slow down."), "Retry-After: 1")
whole("retry-after-a-fraction", 429, error("x"), "Retry-After: 0.25")
whole("retry-after-a-past-date", 429, error("x"), "Retry-After: Wed, 21 Oct 2015 07:28:00 GMT")
whole("retry-after-a-far-date", 429, error("x"), "Retry-After: Wed, 21 Oct 2499 07:28:00 GMT")
whole("retry-after-nonsense", 429, error("x"), "Retry-After: soon")
RETRY_FORMS = {
    "date": "%a, %d %b %Y %H:%M:%S GMT",
    "rfc-850-date": "%A, %d-%b-%y %H:%M:%S GMT",
    "asctime-date": "%a %b %d %H:%M:%S %Y",
}


def _retry_after_an_hour(name: str, form: str) -> None:
    @scenario(name)
    async def _(wire: Wire) -> None:
        at = datetime.now(timezone.utc) + timedelta(hours=1)
        await wire.head(429, "application/json", f"Retry-After: {at.strftime(form)}")
        await wire.send(error("x").encode())
        await wire.end()


for _name, _form in RETRY_FORMS.items():
    _retry_after_an_hour(f"retry-after-a-{_name}", _form)
RETRY_AFTER = {name for name in SCENARIOS if name.startswith("retry-after")}
whole("html-502", 502, "<html><title>502 Bad Gateway</title></html>", kind="text/html")
whole("html-200", 200, "<!doctype html><title>Welcome</title>", kind="text/html")
whole("plain-500", 500, "upstream connect error", kind="text/plain")
whole(
    "request-id-in-the-body", 500, '{"code":"InternalError","message":"x","request_id":"7f-3a91"}'
)
whole("request-id-in-a-header", 500, error("x", "InternalError"), "X-Request-Id: 7f-3a91")
whole("redirect", 302, "", "Location: http://127.0.0.1:1/")
whole("iflow-435", 200, '{"status":"435","msg":"Model not support","body":null}')
whole("iflow-449", 200, '{"status":"449","msg":"You exceeded your current rate limit"}')
whole("unknown-scenario", 400, error("There is no such scenario.", "unknown_scenario"))
streamed("error-first", event({"error": {"message": "No.", "code": "model_error"}}))
streamed("error-later", *WORDS[:1], event({"error": {"message": "No.", "type": "server"}}), DONE)
streamed("busy-later", *WORDS[:1], event({"error": {"message": "No.", "code": "throttled"}}))
streamed("late-later", *WORDS[:1], event({"error": {"message": "No.", "code": "timeout"}}))
streamed("error-after-reasoning", chunk({"reasoning_content": THOUGHT}), event({"error": "No."}))
streamed("error-same-segment", WORDS[0] + event({"error": "No."}) + DONE)
streamed("error-busy", event({"error": {"message": "No.", "code": "rate_limit_exceeded"}}))
streamed("error-flat", event({"code": "Throttling", "message": "No.", "request_id": "r"}))


@scenario("indiscreet")
async def _(wire: Wire) -> None:
    key = wire.request.headers["authorization"].removeprefix("Bearer ")
    await wire.head(401, "application/json")
    await wire.send(error(f"Wrong key {key}, also known as sk-other-key.").encode())
    await wire.end()


@scenario("quoting")
async def _(wire: Wire) -> None:
    await wire.head(400, "application/json")
    await wire.send(error(f"Unsafe input: {wire.request.last_user_message[:40]}").encode())
    await wire.end()


def encodings(text: str) -> list[str]:
    """Forms in which a vendor may quote a text."""
    return [
        *(text, text.upper(), base64.b64encode(text.encode()).decode(), text.encode().hex()),
        "".join(f"%{byte:02X}" for byte in text.encode()),
        "".join(f"\\u{ord(one):04x}" for one in text),
    ]


@scenario("quoting-encoded")
async def _(wire: Wire) -> None:
    """Quote the key and the beginning of the question in every field and encoding."""
    key = wire.request.headers["authorization"].removeprefix("Bearer ")
    said = wire.request.last_user_message.partition(" ")[0]
    words = [*encodings(key), *encodings(said)]
    quoting = {"code": words[3], "request_id": words[-3], "message": " ".join(words)}
    await wire.head(400, "application/json", f"X-Request-Id: {words[2]}")
    await wire.send(json.dumps(quoting).encode())
    await wire.end()


@scenario("quoting-a-picture")
async def _(wire: Wire) -> None:
    url = wire.request.json["messages"][-1]["content"][-1]["image_url"]["url"]
    await wire.head(400, "application/json")
    await wire.send(error(f"Failed to download {url}").encode())
    await wire.end()


@scenario("quoting-the-first")
async def _(wire: Wire) -> None:
    await wire.head(400, "application/json")
    await wire.send(error(f"Unsafe input: {wire.request.json['messages'][0]['content']}").encode())
    await wire.end()


@scenario("endless-refusal")
async def _(wire: Wire) -> None:
    await wire.head(500, "text/plain")
    for _ in range(10_000):
        await wire.send(b"x" * 65536)


# Missing answers.
streamed("empty", DONE)
streamed("no-body")
streamed("garbage", bytes(range(256)) * 20)
streamed("truncated", *WORDS)
streamed("truncated-null-reasons", *[chunk({"content": x}, "null") for x in PIECES])
streamed("huge-line", b"data: ", *[b"x" * 65536] * 40)
streamed("endless-text", *[said("很" * 100_000)] * 30)
streamed("endless-json", b"{", *[b" " * 2**20] * 9)
whole("json-without-text", 200, json.dumps({"choices": [{"message": {"content": ""}}]}))
whole("json-broken", 200, completion({"content": SENTENCE})[:-9])


@scenario("silence")
async def _(wire: Wire) -> None:
    await _forever()


@scenario("slow-headers")
async def _(wire: Wire) -> None:
    await wire.raw(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    for _ in range(600):
        await wire.raw(b"x")
        await asyncio.sleep(0.1)


@scenario("no-first-byte")
async def _(wire: Wire) -> None:
    await wire.head()
    await _forever()


@scenario("stall")
async def _(wire: Wire) -> None:
    await wire.head()
    await wire.send(*WORDS[:2])
    await _forever()


@scenario("stall-in-reasoning")
async def _(wire: Wire) -> None:
    await wire.head()
    await wire.send(chunk({"reasoning_content": THOUGHT}))
    await _forever()


@scenario("stalled-refusal")
async def _(wire: Wire) -> None:
    await wire.head(500)
    await _forever()


@scenario("endless")
async def _(wire: Wire) -> None:
    """Send words for as long as any test runs, for clients that disconnect."""
    await wire.head()
    for number in range(72_000):
        await wire.send(said("滴答"))
        await asyncio.sleep(_pause(number))


@scenario("endless-reasoning")
async def _(wire: Wire) -> None:
    """As "endless", without any text."""
    await wire.head()
    for number in range(72_000):
        await wire.send(chunk({"reasoning_content": "思考"}))
        await asyncio.sleep(_pause(number))


def _pause(number: int) -> float:
    """Fast at first; then so slow that the limit of an answer's tokens is not reached."""
    return 0.05 if number < 200 else 1.0


@scenario("flood-of-reasoning")
async def _(wire: Wire) -> None:
    """Ignore every limit, until the client closes the connection."""
    await wire.head()
    for _ in range(72_000):
        await wire.send(chunk({"reasoning_content": "想" * 100}))


@scenario("flood")
async def _(wire: Wire) -> None:
    await wire.head()
    for _ in range(72_000):
        await wire.send(said("word " * 20))


@scenario("cut-inside-a-character")
async def _(wire: Wire) -> None:
    await wire.head()
    await wire.send(WORDS[0])
    await wire.raw(b"ff\r\n" + WORDS[1][: WORDS[1].index("测".encode()) + 1])
    wire.cut()


@scenario("closed-inside-a-chunk")
async def _(wire: Wire) -> None:
    await wire.head()
    await wire.send(WORDS[0])
    await wire.raw(b"ff\r\ndata: {")


@scenario("closed-at-once")
async def _(wire: Wire) -> None:
    wire.cut()


@scenario("not-http")
async def _(wire: Wire) -> None:
    await wire.raw(b"SSH-2.0-OpenSSH_9.6\r\n")


@scenario("closed-politely")
async def _(wire: Wire) -> None:
    """End the body by closing the connection, without chunks."""
    await wire.raw(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n" + WORDS[0])


async def _forever() -> None:
    await asyncio.get_running_loop().create_future()
