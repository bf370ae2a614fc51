"""One small question to an upstream: whether it answers, how fast, and in which words."""

import asyncio
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

import anyio

from shared import settings
from shared.config import is_production
from shared.errors import AppError, UpstreamTimeout
from shared.llm import client, sealing
from shared.llm.events import Delta, Event, Reasoning
from shared.repos.upstreams import Upstream

_SECONDS = 15  # the administrator waits, and so does the function
_CONNECT_SECONDS = 5
_QUESTION = [{"role": "user", "content": "Reply with OK."}]
_MOST_TOKENS = 16
_MOST_SHOWN = 100


def of(upstream: Upstream) -> dict[str, object]:
    """Ask; a failure is told by its stable name, without a word of the vendor's."""
    return asyncio.run(_told(upstream))


@dataclass
class _Heard:
    started: float = field(default_factory=time.monotonic)
    first_token_ms: int | None = None
    text: str = ""

    @property
    def milliseconds(self) -> int:
        return round((time.monotonic() - self.started) * 1000)

    def take(self, event: Event) -> None:
        if isinstance(event, Delta | Reasoning) and self.first_token_ms is None:
            self.first_token_ms = self.milliseconds
        if isinstance(event, Delta):
            self.text += event.text


async def _told(upstream: Upstream) -> dict[str, object]:
    heard = _Heard()
    try:
        with anyio.fail_after(_SECONDS):
            await _listen(upstream, heard)
    except AppError as error:
        return _failed(error, heard)
    except TimeoutError:
        return _failed(UpstreamTimeout(reason="whole answer"), heard)
    return {
        "ok": True,
        "latency_ms": heard.milliseconds,
        "first_token_ms": heard.first_token_ms,
        "said": heard.text[:_MOST_SHOWN],
    }


async def _listen(upstream: Upstream, heard: _Heard) -> None:
    asked = settings.Model(
        api_key=sealing.unseal(upstream.sealed_key, upstream.id, upstream.url),
        url=upstream.url,
        connect_seconds=_CONNECT_SECONDS,
        first_byte_seconds=_SECONDS,
        idle_seconds=_SECONDS,
    )
    async with AsyncExitStack() as stack:
        stack.push_async_callback(client.close)
        events = await stack.enter_async_context(
            client.stream(
                asked,
                _QUESTION,
                model=upstream.vendor_model,
                thinking=False,
                options={"max_tokens": _MOST_TOKENS},
                public_only=is_production(),
            )
        )
        async for event in events:
            heard.take(event)


def _failed(error: AppError, heard: _Heard) -> dict[str, object]:
    """`status` is what the upstream answered with; `reason` and `limit` are words of ours."""
    known = {name: error.context.get(name) for name in ("status", "reason", "limit")}
    return {
        "ok": False,
        "error": error.name,
        **{name: value for name, value in known.items() if value is not None},
        "latency_ms": heard.milliseconds,
    }
