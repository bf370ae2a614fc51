"""Choice of the upstream: by weight, with failover until the first event of an answer."""

import asyncio
import random
import time
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from functools import cache

from shared import settings
from shared.config import load
from shared.errors import UpstreamBusy, UpstreamFailed
from shared.llm import client
from shared.llm.catalog import Catalog, Upstream
from shared.llm.events import Event, Output
from shared.repos.upstream_calls import UpstreamCall

_MOST_ATTEMPTS = 3
_BACKOFF_SECONDS = 0.3
_LONGEST_WAIT_SECONDS = 3.0  # the client waits for this too
_BAD_REQUEST = {400, 413, 422}  # every upstream refuses the same request


async def models() -> list[str]:
    """The models this deployment offers, the default one first.

    Raises: DatabaseUnavailable, if they have not been read yet.
    """
    return [model.name for model in (await _catalog().current()).models]


async def longest_prompt(model: str) -> int:
    """The longest prompt in tokens that every upstream of the model takes.

    Raises: DatabaseUnavailable, if the catalog has not been read yet.
    """
    known, default = await _catalog().current(), load(settings.Chat).prompt_tokens
    bounds = [one.prompt_tokens or default for one in known.upstreams if one.serves == model]
    return min(bounds, default=default)


async def answer(
    model: str,
    messages: Sequence[Mapping[str, object]],
    *,
    thinking: bool,
    options: Mapping[str, object],
    report: Callable[[UpstreamCall], None],
) -> AsyncGenerator[Event, None]:
    """Yield one upstream's answer; try another one only before the first event.

    Raises: UpstreamFailed or a subclass: the failure of the last upstream tried.
    """
    failure: UpstreamFailed = UpstreamBusy(reason="every upstream is resting")
    known = await _catalog().current()
    serving = [upstream for upstream in known.upstreams if upstream.serves == model]
    if not serving:
        raise UpstreamFailed(reason="no upstream that can be asked")
    for upstream, is_again in _order(serving):
        if is_again and not _is_worth_repeating(failure):
            break
        watch = _Watch(upstream, report)
        try:
            async with client.stream(
                upstream.settings,
                messages,
                model=upstream.vendor_model,
                thinking=thinking,
                options=options,
                public_only=upstream.public_only,
            ) as events:
                async for event in events:
                    watch.see(event)
                    yield event
            watch.end("ok", good=True)
            return
        except UpstreamFailed as error:
            is_working = watch.has_seen or _has_worked(error)
            watch.end(error.name, good=not _is_worth_another(error), has_worked=is_working)
            if watch.has_seen or not _is_worth_another(error):
                raise
            failure = error
        except BaseException as error:
            watch.end("left", has_worked=not isinstance(error, Exception))
            raise
        await asyncio.sleep(_pause(failure))
    raise failure


class _Watch:
    """Times one call to an upstream, for its breaker and for the call's record."""

    def __init__(self, upstream: Upstream, report: Callable[[UpstreamCall], None]) -> None:
        self._upstream, self._report = upstream, report
        self._started = time.monotonic()
        self._first: float | None = None

    @property
    def has_seen(self) -> bool:
        return self._first is not None

    def see(self, event: Event) -> None:
        if self._first is None and isinstance(event, Output):
            self._first = time.monotonic()

    def end(self, outcome: str, *, good: bool = False, has_worked: bool = True) -> None:
        """`good`: the upstream did not fail; rightly refusing a bad request is no failure."""
        now = time.monotonic()
        if outcome != "left":
            self._upstream.breaker.record(now, good=good)
        first = None if self._first is None else round((self._first - self._started) * 1000)
        duration = round((now - self._started) * 1000)
        name, costs = self._upstream.name, self._upstream.costs
        self._report(UpstreamCall(name, outcome, first, duration, costs, has_worked))


@cache
def _catalog() -> Catalog:
    """One for the process."""
    return Catalog()


def _order(serving: Sequence[Upstream]) -> Iterator[tuple[Upstream, bool]]:
    """Upstreams in random order by weight, each once, then once more; True marks the repeat.

    Upstreams with an open breaker are skipped. A single upstream never is, because
    skipping it would fail the request for certain.
    """
    shuffled = sorted(serving, key=lambda one: random.random() ** (1 / one.weight), reverse=True)  # noqa: S311  # balance, no secret
    asked = 0
    for number, upstream in enumerate(shuffled * 2):
        spared = len(serving) > 1 and not upstream.breaker.allows(time.monotonic())
        if asked < _MOST_ATTEMPTS and not spared:
            asked += 1
            yield upstream, number >= len(shuffled)


def _has_worked(error: UpstreamFailed) -> bool:
    """Whether the upstream took the request: it neither refused it nor was out of reach."""
    context = error.context
    is_refused = context.get("status", 200) != 200
    return not is_refused and context.get("limit") != "connect" and not _is_offline(context)


def _is_offline(context: Mapping[str, object]) -> bool:
    return context.get("reason") in {"ConnectError", "NotPublic"}


def _is_worth_another(error: UpstreamFailed) -> bool:
    return error.context.get("status") not in _BAD_REQUEST


def _is_worth_repeating(error: UpstreamFailed) -> bool:
    """Whether to retry the same upstream: busy or failing ones may recover, not after a timeout."""
    status = error.context.get("status")
    return isinstance(error, UpstreamBusy) or (isinstance(status, int) and status >= 500)


def _pause(error: UpstreamFailed) -> float:
    """Seconds to wait: those of Retry-After, up to a limit, or a short random pause."""
    retry_after = error.headers.get("Retry-After", "")
    if retry_after.isdigit():
        return min(float(retry_after), _LONGEST_WAIT_SECONDS)
    return random.uniform(0.5, 1) * _BACKOFF_SECONDS  # noqa: S311  # jitter, no secret
