"""Stores models and upstreams as administrators do."""

import secrets

from shared.config import Secret
from shared.database.connection import Connection
from shared.database.transactions import transaction
from shared.ids import new_id
from shared.llm import sealing
from shared.repos import models, upstreams
from shared.repos.models import Model
from shared.repos.upstreams import StoredUpstream
from shared.times import now_ms

KEYS_SECRET = secrets.token_hex(24)


def offer(name: str, *, title: str = "", enabled: bool = True) -> None:
    at_ms = now_ms()
    transaction(models.add, Model(name, title or name, int(enabled), at_ms, at_ms))


def switch(name: str, *, enabled: bool) -> None:
    transaction(models.change, name, title=None, is_enabled=enabled, at_ms=now_ms())


def store(
    model: str,
    url: str,
    *,
    name: str = "",
    key: str = "sk-stored",
    vendor_model: str = "theirs",
    costs: tuple[int, int, int] = (0, 0, 0),
    enabled: bool = True,
    vision: bool = False,
) -> StoredUpstream:
    """Store an upstream of a model; UPSTREAM_KEYS_SECRET must be set."""
    upstream_id, at_ms = new_id(), now_ms()
    made = StoredUpstream(
        id=upstream_id,
        model=model,
        name=name or f"stored-{upstream_id[-6:]}",
        url=url,
        vendor_model=vendor_model,
        sealed_key=sealing.seal(Secret(key), upstream_id, url),
        key_hint=key[-4:],
        weight=1,
        input_ufen=costs[0],
        cached_ufen=costs[1],
        output_ufen=costs[2],
        is_enabled=int(enabled),
        vision=int(vision),
        created_at_ms=at_ms,
        updated_at_ms=at_ms,
    )
    transaction(upstreams.add, made)
    return made


def swap_keys(one: StoredUpstream, other: StoredUpstream) -> None:
    """Swap stored keys, like an attacker with write access who wants a key sent elsewhere."""
    transaction(_swap_keys, one, other)


def _swap_keys(db: Connection, one: StoredUpstream, other: StoredUpstream) -> None:
    for row, sealed in ((one, other.sealed_key), (other, one.sealed_key)):
        db.execute(
            "UPDATE upstreams SET sealed_key = :sealed WHERE id = :id", sealed=sealed, id=row.id
        )
