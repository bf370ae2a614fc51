"""Upstreams of stored models."""

from dataclasses import dataclass

from shared.database.connection import Connection, DuplicateKey
from shared.errors import ChangedMeanwhile, NameTaken, NotFound
from shared.pricing import Costs


@dataclass(frozen=True)
class StoredUpstream:
    """`vendor_model` is the upstream's name for the model; `key_hint` the end of its key.

    `vision` is 1 if it takes pictures.
    """

    id: str
    model: str
    name: str
    url: str
    vendor_model: str
    sealed_key: str
    key_hint: str
    weight: int
    input_ufen: int
    cached_ufen: int
    output_ufen: int
    is_enabled: int
    vision: int
    created_at_ms: int
    updated_at_ms: int

    @property
    def costs(self) -> Costs | None:
        """None where no costs are stored."""
        costs = Costs(self.input_ufen, self.cached_ufen, self.output_ufen)
        return costs if any(vars(costs).values()) else None


@dataclass(frozen=True)
class Changes:
    """New values; None leaves a value unchanged."""

    name: str | None = None
    url: str | None = None
    vendor_model: str | None = None
    sealed_key: str | None = None
    key_hint: str | None = None
    weight: int | None = None
    input_ufen: int | None = None
    cached_ufen: int | None = None
    output_ufen: int | None = None
    is_enabled: bool | None = None
    vision: bool | None = None


def add(db: Connection, upstream: StoredUpstream) -> None:
    """Raises: NameTaken."""
    try:
        db.execute(
            """
            INSERT INTO upstreams
                (id, model, name, url, vendor_model, sealed_key, key_hint, weight, input_ufen,
                 cached_ufen, output_ufen, is_enabled, vision, created_at_ms, updated_at_ms)
            VALUES
                (:id, :model, :name, :url, :vendor_model, :sealed_key, :key_hint, :weight,
                 :input_ufen, :cached_ufen, :output_ufen, :is_enabled, :vision, :created_at_ms,
                 :updated_at_ms)
            """,
            **vars(upstream),
        )
    except DuplicateKey:
        raise NameTaken from None


def get(db: Connection, upstream_id: str) -> StoredUpstream:
    """Raises: NotFound."""
    found = db.find(
        StoredUpstream,
        """
        SELECT id, model, name, url, vendor_model, sealed_key, key_hint, weight, input_ufen,
            cached_ufen, output_ufen, is_enabled, vision, created_at_ms, updated_at_ms
        FROM upstreams
        WHERE id = :id
        """,
        id=upstream_id,
    )
    if found is None or found.id != upstream_id:  # MySQL overlooks blanks at the end
        raise NotFound
    return found


def change(db: Connection, known: StoredUpstream, changes: Changes, *, at_ms: int) -> None:
    """Change an upstream whose URL is still that of `known`: its key is sealed for that URL.

    Raises: NameTaken; ChangedMeanwhile: the URL has changed.
    """
    try:
        changed = db.execute(
            """
            UPDATE upstreams
            SET name = COALESCE(:name, name),
                url = COALESCE(:url, url),
                vendor_model = COALESCE(:vendor_model, vendor_model),
                sealed_key = COALESCE(:sealed_key, sealed_key),
                key_hint = COALESCE(:key_hint, key_hint),
                weight = COALESCE(:weight, weight),
                input_ufen = COALESCE(:input_ufen, input_ufen),
                cached_ufen = COALESCE(:cached_ufen, cached_ufen),
                output_ufen = COALESCE(:output_ufen, output_ufen),
                is_enabled = COALESCE(:is_enabled, is_enabled),
                vision = COALESCE(:vision, vision),
                updated_at_ms = :at_ms
            WHERE id = :id AND url = :known_url
            """,
            id=known.id,
            known_url=known.url,
            at_ms=at_ms,
            **vars(changes),
        )
    except DuplicateKey:
        raise NameTaken from None
    if not changed:
        raise ChangedMeanwhile


def remove(db: Connection, upstream_id: str) -> bool:
    return bool(db.execute("DELETE FROM upstreams WHERE id = :id", id=upstream_id))


def list_all(db: Connection) -> list[StoredUpstream]:
    return db.find_all(
        StoredUpstream,
        """
        SELECT id, model, name, url, vendor_model, sealed_key, key_hint, weight, input_ufen,
            cached_ufen, output_ufen, is_enabled, vision, created_at_ms, updated_at_ms
        FROM upstreams
        ORDER BY model, name
        """,
    )
