"""Choice of the upstream: by weight, with failover until the first event of an answer."""

import asyncio
import random
import time
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from functools import cache
from urllib.parse import urlsplit

from shared import log, settings
from shared.config import load
from shared.credentials import Credentials
from shared.errors import (
    ContextLengthExceeded,
    UnsupportedParameter,
    UpstreamBusy,
    UpstreamFailed,
    UpstreamMisconfigured,
    UpstreamRejected,
)
from shared.llm import client
from shared.llm.catalog import Catalog, Upstream
from shared.llm.events import Event, Output
from shared.llm.model_list import Offered
from shared.llm.parameters import knows
from shared.llm.picture_delivery import PictureTerms, delivery
from shared.llm.pictures import Picture, picture_tokens, pictures_in, rule_of
from shared.llm.vendors import vendor_of
from shared.repos.upstream_calls import UpstreamCall

_MOST_ATTEMPTS = 3
_BACKOFF_SECONDS = 0.3
_LONGEST_WAIT_SECONDS = 3.0  # the client waits for this too


async def models() -> list[str]:
    """The models this deployment offers, the default one first.

    Raises: DatabaseUnavailable, if they have not been read yet.
    """
    return [model.name for model in await offered()]


async def offered() -> Sequence[Offered]:
    """As `models`, with their titles and times."""
    return (await _catalog().current()).models


async def longest_prompt(model: str) -> int:
    """The longest prompt in tokens that every upstream of the model takes.

    Raises: DatabaseUnavailable, if the catalog has not been read yet.
    """
    known, default = await _catalog().current(), load(settings.Chat).prompt_tokens
    bounds = [one.prompt_tokens or default for one in known.upstreams if one.serves == model]
    return min(bounds, default=default)


async def picture_terms(model: str) -> PictureTerms:
    """How the upstreams of the model take pictures, and the tokens at the one that counts most.

    Raises: DatabaseUnavailable, if the catalog has not been read yet.
    """
    known = (await _catalog().current()).upstreams
    seeing = [one for one in known if one.serves == model and one.vision]
    urls = [one.settings.url for one in seeing]
    rules = [rule_of(vendor_of(one.settings.url), one.vendor_model) for one in seeing]

    def tokens(picture: Picture) -> int:
        return max((rule(picture) for rule in rules), default=picture_tokens(picture))

    return PictureTerms(urls, tokens)


async def require(model: str, options: Mapping[str, object], *, with_pictures: bool) -> None:
    """Make sure that an upstream of the model takes the pictures and knows all the parameters.

    Raises: UnsupportedParameter: the first one that no upstream knows, or none that knows
        those before it; DatabaseUnavailable, if the catalog has not been read yet.
    """
    left = [one for one in (await _catalog().current()).upstreams if one.serves == model]
    if left and with_pictures:
        left = [one for one in left if one.vision]
        if not left:
            problem = "the model takes no pictures (image_url)"
            raise UnsupportedParameter(details=[{"field": "body.messages", "problem": problem}])
    for name in options if left else ():
        left = [one for one in left if knows(one.settings.url, name)]
        if not left:
            problem = "is not known to an upstream of this model"
            raise UnsupportedParameter(details=[{"field": f"body.{name}", "problem": problem}])


async def answer(
    model: str,
    messages: Sequence[Mapping[str, object]],
    *,
    thinking: bool,
    options: Mapping[str, object],
    report: Callable[[UpstreamCall], None],
    called_with: Credentials | None = None,
) -> AsyncGenerator[Event, None]:
    """Yield one upstream's answer; try another one only before the first event.

    Only upstreams that know all of the options, and take pictures if there are any, are asked. A
    request that was refused for good is not tried elsewhere: parameters are wrong for all, and
    what one content filter stopped is not carried round it. A prompt that was too long is tried
    at upstreams of another vendor or model, which may take more. Each is given stored pictures in
    the form that it takes; they are read with the credentials `called_with`.

    Raises: StorageUnavailable: a picture cannot be read; UpstreamBusy: too many pictures are
        being sent; UpstreamFailed or a subclass: of all failures, the one that a repetition may
        avoid.
    """
    failures: list[tuple[Upstream, UpstreamFailed]] = []
    known = await _catalog().current()
    with_pictures = bool(pictures_in(messages))
    serving = [
        one
        for one in known.upstreams
        if one.serves == model
        and (one.vision or not with_pictures)
        and all(knows(one.settings.url, name) for name in options)
    ]
    if not serving:
        raise UpstreamFailed(reason="no upstream that can be asked")
    spared: list[Upstream] = []
    for upstream in _order(serving, failures, spared):
        async with delivery(messages, upstream.settings.url, called_with) as shown:
            watch = _Watch(upstream, report)
            try:
                async with client.stream(
                    upstream.settings,
                    shown.messages,
                    model=upstream.vendor_model,
                    thinking=thinking,
                    options=options,
                    public_only=upstream.public_only,
                ) as events:
                    shown.free()  # pictures are large, and sent by now
                    async for event in events:
                        watch.see(event)
                        yield event
                watch.end("ok", good=True)
                return
            except UpstreamFailed as error:
                watch.fail(error)
                if watch.has_seen or not _is_worth_another(error):
                    raise
                failures.append((upstream, error))
            except BaseException as error:
                watch.end("left", has_worked=not isinstance(error, Exception))
                raise
        await asyncio.sleep(_pause(failures[-1][1]))
    raise _most_hopeful([*map(_resting, spared), *(error for _, error in failures)])


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

    def fail(self, error: UpstreamFailed) -> None:
        """Rightly refusing a request is no failure of the upstream."""
        outcome, trouble = error.name, error.context.get("trouble")
        if isinstance(error, UpstreamMisconfigured):
            outcome = f"{error.name}:{trouble}"
            log.write("error", error.name, upstream=self._upstream.name, **error.context)
        self._upstream.breaker.is_misconfigured = isinstance(error, UpstreamMisconfigured)
        is_working = self.has_seen or _has_worked(error)
        self.end(outcome, good=isinstance(error, UpstreamRejected), has_worked=is_working)

    def end(self, outcome: str, *, good: bool = False, has_worked: bool = True) -> None:
        """`good`: the upstream did not fail."""
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


def _order(
    serving: Sequence[Upstream],
    failures: Sequence[tuple[Upstream, UpstreamFailed]],
    spared: list[Upstream],
) -> Iterator[Upstream]:
    """Upstreams in random order by weight, each once, then once more, while one may answer.

    Upstreams with an open breaker are skipped, and added to `spared`. A single upstream never
    is, because skipping it would fail the request for certain.
    """
    shuffled = sorted(serving, key=_lot, reverse=True)
    for number, upstream in enumerate(shuffled * 2):
        if len(failures) == _MOST_ATTEMPTS:
            return
        if not _is_worth_asking(upstream, failures, is_again=number >= len(shuffled)):
            continue
        if len(serving) == 1 or upstream.breaker.allows(time.monotonic()):
            yield upstream
        else:
            spared.append(upstream)


def _lot(upstream: Upstream) -> float:
    """Drawn at random, the higher the greater the weight."""
    return float(random.random() ** (1 / upstream.weight))  # noqa: S311  # balance, no secret


def _has_worked(error: UpstreamFailed) -> bool:
    """Whether the upstream took the request: it neither refused it nor was out of reach."""
    context = error.context
    is_refused = isinstance(error, UpstreamRejected | UpstreamMisconfigured)
    is_refused = is_refused or context.get("status", 200) != 200
    return not is_refused and context.get("limit") != "connect" and not _is_offline(context)


def _is_offline(context: Mapping[str, object]) -> bool:
    return context.get("reason") in {"ConnectError", "NotPublic"}


def _is_worth_another(error: UpstreamFailed) -> bool:
    return isinstance(error, ContextLengthExceeded) or not isinstance(error, UpstreamRejected)


def _is_worth_asking(
    upstream: Upstream, failures: Sequence[tuple[Upstream, UpstreamFailed]], *, is_again: bool
) -> bool:
    """Whether this upstream may answer, after the failures so far."""
    too_long = [one for one, error in failures if isinstance(error, ContextLengthExceeded)]
    if any(_takes_as_much(upstream, one) for one in too_long):
        return False
    own = [error for one, error in failures if one is upstream]
    return not is_again or any(_is_worth_repeating(error) for error in own)


def _takes_as_much(one: Upstream, other: Upstream) -> bool:
    """Whether both are the same model of the same vendor, with the same longest prompt."""
    hosts = {urlsplit(upstream.settings.url).hostname for upstream in (one, other)}
    return len(hosts) == 1 and one.vendor_model == other.vendor_model


def _resting(upstream: Upstream) -> UpstreamFailed:
    """Stands for the failure of an upstream that was spared."""
    kind = UpstreamMisconfigured if upstream.breaker.is_misconfigured else UpstreamBusy
    return kind(reason="resting")


def _most_hopeful(failures: Sequence[UpstreamFailed]) -> UpstreamFailed:
    """The last failure that may pass; else the refusal of the request; else that of the service."""
    latest_first = failures[::-1]
    passing = [error for error in latest_first if error.retryable]
    refused = [error for error in latest_first if isinstance(error, UpstreamRejected)]
    return [*passing, *refused, *latest_first][0]


def _is_worth_repeating(error: UpstreamFailed) -> bool:
    """Whether to retry the same upstream: busy or failing ones may recover, not after a timeout."""
    status = error.context.get("status")
    return isinstance(error, UpstreamBusy) or (isinstance(status, int) and status >= 500)


def _pause(error: UpstreamFailed) -> float:
    """Seconds to wait: those of Retry-After, up to a limit, or a short random pause.

    What no repetition can mend needs no pause before another upstream is asked.
    """
    if not error.retryable:
        return 0.0
    retry_after = error.headers.get("Retry-After", "")
    if retry_after.isdigit():
        return min(float(retry_after), _LONGEST_WAIT_SECONDS)
    return random.uniform(0.5, 1) * _BACKOFF_SECONDS  # noqa: S311  # jitter, no secret
