"""Catalog of offered models and their upstreams, from the environment and the database."""

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from shared import log, settings
from shared.config import is_production, load
from shared.database import threads, transactions
from shared.database.connection import Connection
from shared.errors import DatabaseUnavailable, Misconfigured
from shared.llm import model_list, sealing
from shared.llm.breaker import Breaker
from shared.llm.model_list import Offered
from shared.pricing import Costs
from shared.repos import models, upstreams
from shared.repos.models import ModelStatus

_FRESH_SECONDS = 15.0  # older: the tables are read again, without waiting for it
_OLDEST_SECONDS = 29.0  # older: requests wait for the reading, as after a freeze
_WAIT_SECONDS = 0.4  # the longest wait, for a database that is down
_RETRY_SECONDS = 5.0


@dataclass(frozen=True)
class Upstream:
    """`serves` is our name for the model, `vendor_model` the upstream's name for it.

    `prompt_tokens` is its longest prompt; None means that of the deployment. `vision` says
    that it takes pictures.
    """

    name: str
    serves: str
    weight: int
    settings: settings.Model
    vendor_model: str
    breaker: Breaker
    costs: Costs | None = None
    public_only: bool = False
    prompt_tokens: int | None = None
    vision: bool = False


@dataclass(frozen=True)
class Known:
    models: Sequence[Offered]
    upstreams: Sequence[Upstream]


class Catalog:
    """Models and upstreams, at most half a minute old; kept when reading them again fails.

    Breakers survive every reading: each belongs to an upstream and its URL.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._known: Known | None = None
        self._read_at = 0.0
        self._retry_at = 0.0
        self._reading: asyncio.Task[Known] | None = None
        self._breakers: dict[tuple[str, str], Breaker] = {}

    async def current(self) -> Known:
        """Raises: DatabaseUnavailable, if nothing has been read yet; Misconfigured."""
        if not transactions.is_configured():
            self._known = self._known or self._built([], [])
            return self._known
        if self._known is None:
            return await asyncio.shield(self._refresh())
        now = self._clock()
        if abs(now - self._read_at) < _FRESH_SECONDS or now < self._retry_at:
            return self._known
        reading = self._refresh()
        if abs(now - self._read_at) >= _OLDEST_SECONDS:
            await asyncio.wait({reading}, timeout=_WAIT_SECONDS)
        return self._known

    def _refresh(self) -> "asyncio.Task[Known]":
        """The running reading, or a new one: requests at the same time share it."""
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._read())
        return self._reading

    async def _read(self) -> Known:
        now = self._clock()
        try:
            self._known = self._built(*await threads.read(_stored))
        except Exception as error:  # the last known catalog stays in use
            self._retry_at = now + _RETRY_SECONDS
            if self._known is None:
                raise
            if not isinstance(error, DatabaseUnavailable):
                log.crash(error, request_id="")
        else:
            self._read_at = now
        return self._known

    def _built(
        self, statuses: Sequence[ModelStatus], stored: Sequence[upstreams.StoredUpstream]
    ) -> Known:
        environment = model_list.in_environment()
        offered = model_list.offered(environment, statuses)
        names = {model.name for model in offered}
        by_name = {model.name: model for model in statuses}
        from_environment = [
            upstream
            for upstream in self._from_environment()
            if model_list.serves(by_name.get(upstream.serves), environment)
        ]
        from_tables = self._from_tables(one for one in stored if one.is_enabled)
        return Known(
            offered, [one for one in (*from_environment, *from_tables) if one.serves in names]
        )

    def _from_environment(self) -> Iterator[Upstream]:
        """The upstreams of UPSTREAMS, or the one of OPENAI_API_URL."""
        first, model = load(settings.Model), load(settings.DefaultModel)
        default = model.name
        listed = load(settings.Upstreams).upstreams
        if not listed:
            breaker = self._breaker("default", first.url)
            yield Upstream("default", default, 1, first, default, breaker, vision=model.vision)
        for one in listed:
            yield Upstream(
                one.name,
                one.serves or default,
                one.weight,
                replace(first, url=one.url, api_key=one.key),
                one.model or default,
                self._breaker(one.name, one.url),
                prompt_tokens=one.prompt_tokens,
                vision=one.vision,
            )

    def _from_tables(self, stored: Iterator[upstreams.StoredUpstream]) -> Iterator[Upstream]:
        """Stored upstreams. One whose key cannot be decrypted is logged and left out."""
        for one in stored:
            try:
                key = sealing.unseal(one.sealed_key, one.id, one.url)
            except Misconfigured as error:
                log.write("error", "upstream_unusable", upstream=one.name, **error.context)
                continue
            yield Upstream(
                one.name,
                one.model,
                one.weight,
                replace(load(settings.Model), url=one.url, api_key=key),
                one.vendor_model,
                self._breaker(one.id, one.url),
                one.costs,
                public_only=is_production(),
                vision=bool(one.vision),
            )

    def _breaker(self, name: str, url: str) -> Breaker:
        return self._breakers.setdefault((name, url), Breaker())


def _stored(connection: Connection) -> tuple[list[ModelStatus], list[upstreams.StoredUpstream]]:
    return models.list_statuses(connection), upstreams.list_all(connection)
