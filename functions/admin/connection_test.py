"""Testing the connection to an upstream with one short question."""

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
from shared.repos.upstreams import StoredUpstream

_SECONDS = 15  # the administrator and the function wait for it
_CONNECT_SECONDS = 5
_QUESTION = [{"role": "user", "content": "Reply with OK."}]
_MOST_TOKENS = 16
_MOST_SHOWN = 100


def run(upstream: StoredUpstream) -> dict[str, object]:
    """Ask, and return the answer and its times; of a failure, its stable name, no vendor text."""
    return asyncio.run(_ask(upstream))


@dataclass
class _Measured:
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


async def _ask(upstream: StoredUpstream) -> dict[str, object]:
    measured = _Measured()
    try:
        with anyio.fail_after(_SECONDS):
            await _listen(upstream, measured)
    except AppError as error:
        return _failed(error, measured)
    except TimeoutError:
        return _failed(UpstreamTimeout(reason="whole answer"), measured)
    return {
        "ok": True,
        "latency_ms": measured.milliseconds,
        "first_token_ms": measured.first_token_ms,
        "said": measured.text[:_MOST_SHOWN],
    }


async def _listen(upstream: StoredUpstream, measured: _Measured) -> None:
    model = settings.Model(
        api_key=sealing.unseal(upstream.sealed_key, upstream.id, upstream.url),
        url=upstream.url,
        connect_seconds=_CONNECT_SECONDS,
        first_byte_seconds=_SECONDS,
        idle_seconds=_SECONDS,
        log_text=False,
    )
    async with AsyncExitStack() as stack:
        stack.push_async_callback(client.close)
        events = await stack.enter_async_context(
            client.stream(
                model,
                _QUESTION,
                model=upstream.vendor_model,
                thinking=False,
                options={"max_tokens": _MOST_TOKENS},
                public_only=is_production(),
            )
        )
        async for event in events:
            measured.take(event)


def _failed(error: AppError, measured: _Measured) -> dict[str, object]:
    """`status` is the upstream's; `reason` and `limit` are words of this service."""
    known = {name: error.context.get(name) for name in ("status", "reason", "limit", "trouble")}
    return {
        "ok": False,
        "error": error.name,
        **{name: value for name, value in known.items() if value is not None},
        "latency_ms": measured.milliseconds,
    }
