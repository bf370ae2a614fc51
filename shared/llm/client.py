"""HTTP client of upstreams: one request out, events back, every wait limited."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager, contextmanager, suppress
from functools import lru_cache
from ssl import SSLContext
from types import MappingProxyType
from weakref import WeakKeyDictionary

import anyio
import httpx

from shared import settings
from shared.config import Secret
from shared.errors import Misconfigured, UpstreamFailed, UpstreamTimeout
from shared.llm.answer_parser import AnswerParser
from shared.llm.events import Event
from shared.llm.pictures import without_data
from shared.llm.redaction import Redaction
from shared.llm.refusals import complaint_of_body, refusal
from shared.llm.transport import Transport
from shared.llm.vendors import request_body

_KEPT_CONNECTIONS = 20
_KEPT_SECONDS = 4  # common servers close idle connections after 5 seconds (Node.js, uvicorn)
_ERROR_BODY_BYTES = 64 * 1024
_ERROR_BODY_SECONDS = 2
_DRAIN_SECONDS = 0.2
# After the first text, chunks are read together 20 times a second: smooth enough to read, and
# less than half the work of reading each token by itself.
_APART_SECONDS = 0.05
_SMALL_BYTES = 8 * 1024

_transports: WeakKeyDictionary[asyncio.AbstractEventLoop, Transport] = WeakKeyDictionary()


@asynccontextmanager
async def stream(
    upstream: settings.Model,
    messages: Sequence[Mapping[str, object]],
    *,
    model: str,
    thinking: bool,
    options: Mapping[str, object] = MappingProxyType({}),
    public_only: bool = False,
) -> AsyncIterator[AsyncIterator[Event]]:
    """Ask the upstream; `async with stream(...) as events`, then `async for event in events`.

    Entering sends the request and waits for the status, so a refusal is raised
    there, before the response to our client begins. The events are Reasoning, Delta,
    ToolCall and Usage in their order, then exactly one Finish. Leaving closes the connection,
    or keeps it for reuse if the answer was read to its end.

    `connect_seconds` limits the TCP connection with its TLS handshake,
    `first_byte_seconds` the time from the call until the first byte of the body, and
    `idle_seconds` every silence after that, which a comment ends too. A connection
    lost after the finish reason is not a failure. `public_only` refuses a host that
    is, or resolves to, a non-public address.

    Raises:
        UpstreamTimeout: one of the limits was reached; the context says which.
        UpstreamBusy: the upstream limits us.
        UpstreamFailed: any other failure to get a complete answer.
        Misconfigured: the key cannot be sent in a header.
    """
    tools = {"content": [options.get(name) for name in ("tools", "response_format")]}
    said = [tools, *without_data(messages)]
    redaction = Redaction(upstream.api_key, said, logs_text=upstream.log_text)
    body = request_body(upstream, messages, model, thinking=thinking, options=options)
    deadline = anyio.current_time() + upstream.first_byte_seconds
    response = await _send(upstream, body, public_only=public_only)
    del messages, body  # pictures are large
    try:
        if not response.is_success:
            raise await _refusal(response, redaction)
        chunks = _chunks(response, deadline)
        async with aclosing(chunks), aclosing(_events(chunks, AnswerParser(redaction))) as events:
            yield events
    finally:
        await response.aclose()


async def close() -> None:
    """Close the connections of the running event loop, if there are any."""
    transport = _transports.pop(asyncio.get_running_loop(), None)
    if transport:
        await transport.aclose()


async def _send(
    upstream: settings.Model, body: Mapping[str, object], *, public_only: bool
) -> httpx.Response:
    with _failures("first byte"), anyio.fail_after(upstream.first_byte_seconds):
        timeout = httpx.Timeout(None, connect=upstream.connect_seconds, read=upstream.idle_seconds)
        request = httpx.Request(
            "POST",
            _url(upstream.url),
            content=json.dumps(body, ensure_ascii=False).encode("utf-8", "replace"),
            headers=_headers(upstream.api_key),
            extensions={"timeout": timeout.as_dict(), "public_only": public_only},
        )
        return await _transport().handle_async_request(request)


@lru_cache(maxsize=64)
def _url(text: str) -> httpx.URL:
    """Raises: httpx.InvalidURL."""
    return httpx.URL(text)


def _headers(key: Secret) -> dict[str, str]:
    """Raises: Misconfigured, where an HTTP library would raise an error that quotes the key."""
    if not (key.reveal().isascii() and key.reveal().isprintable()):
        raise Misconfigured(problems=["OPENAI_API_KEY must be printable ASCII"])
    return {
        "Authorization": f"Bearer {key.reveal()}",
        "Content-Type": "application/json",
        "Accept": "text/event-stream, application/json",
        "Accept-Encoding": "identity",  # compression delays events
        "User-Agent": "fc-ai-backend",
    }


async def _chunks(response: httpx.Response, first_deadline: float) -> AsyncGenerator[bytes, None]:
    """The transport limits every silence after the first bytes."""
    body = response.aiter_bytes()
    with _failures("first byte"), anyio.fail_after(first_deadline - anyio.current_time()):
        first = await anext(body, None)
    if first is None:
        return
    yield first
    with _failures("idle"):
        async for chunk in body:
            yield chunk


async def _events(
    chunks: AsyncGenerator[bytes, None], answer: AnswerParser
) -> AsyncGenerator[Event, None]:
    try:
        async for chunk in chunks:
            for event in answer.feed(chunk):
                yield event
            if answer.done:
                break
            if answer.has_spoken and len(chunk) < _SMALL_BYTES:
                await asyncio.sleep(_APART_SECONDS)
    except UpstreamFailed:
        if not answer.complete:
            raise
    for event in answer.end():
        yield event
    await _drain(chunks)


async def _drain(chunks: AsyncGenerator[bytes, None]) -> None:
    """Read what follows `[DONE]`, which is nothing, so that the connection can be kept."""
    with suppress(UpstreamFailed), anyio.move_on_after(_DRAIN_SECONDS):
        async for _ in chunks:
            pass


async def _refusal(response: httpx.Response, redaction: Redaction) -> UpstreamFailed:
    body = bytearray()
    with suppress(httpx.HTTPError), anyio.move_on_after(_ERROR_BODY_SECONDS):
        async for chunk in response.aiter_bytes():
            body += chunk
            if len(body) >= _ERROR_BODY_BYTES:
                break
    return refusal(
        complaint_of_body(body[:_ERROR_BODY_BYTES].decode("utf-8", "replace")),
        redaction,
        status=response.status_code,
        headers=response.headers,
    )


@contextmanager
def _failures(limit: str) -> Iterator[None]:
    """Translate httpx errors, keeping only their type: their text may quote headers."""
    try:
        yield
    except httpx.ConnectTimeout:
        raise UpstreamTimeout(limit="connect") from None
    except (TimeoutError, httpx.ReadTimeout):
        raise UpstreamTimeout(limit=limit) from None
    except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
        raise UpstreamFailed(reason=type(error).__name__) from None


def _transport() -> Transport:
    """One transport per event loop, made at first use.

    There is no httpx.AsyncClient around it: redirects are not followed, cookies would be
    shared by all users, and the environment (proxies, CA files, .netrc) is ignored. This
    product is configured by its settings alone, and a proxy meant for a browser would see
    every prompt.
    """
    loop = asyncio.get_running_loop()
    if loop not in _transports:
        _transports[loop] = Transport(
            _tls(), most_kept=_KEPT_CONNECTIONS, kept_seconds=_KEPT_SECONDS
        )
    return _transports[loop]


@lru_cache(maxsize=1)
def _tls() -> SSLContext:
    return httpx.create_ssl_context(trust_env=False)
