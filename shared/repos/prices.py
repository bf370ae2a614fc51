"""Prices of models, in numbered versions."""

from dataclasses import dataclass, fields

from shared.cursor import END, Cursor
from shared.database.connection import Connection, DuplicateKey
from shared.database.deferred import Deferred
from shared.errors import ChangedMeanwhile
from shared.pricing import Price
from shared.times import now_ms


@dataclass(frozen=True)
class Version(Price):
    """A price with its author and time."""

    changed_by: str = ""
    created_at_ms: int = 0

    @property
    def cursor(self) -> Cursor:
        """Its position in the history of its model."""
        return Cursor(self.version, "version")

    @property
    def price(self) -> Price:
        return Price(**{one.name: getattr(self, one.name) for one in fields(Price)})


def find_current(db: Connection, model: str) -> Price | None:
    return ask_current(db, model).first(Price)


def ask_current(db: Connection, model: str) -> Deferred:
    """Defer the reading of the current `Price`."""
    return db.defer(
        """
        SELECT model, version, unit, message_fen, input_ufen, cached_ufen, output_ufen
        FROM prices
        WHERE model = :model
        ORDER BY version DESC
        LIMIT 1
        """,
        model=model,
    )


def list_latest(db: Connection) -> list[Version]:
    return db.find_all(
        Version,
        """
        SELECT p.model, p.version, p.unit, p.message_fen, p.input_ufen, p.cached_ufen,
            p.output_ufen, p.changed_by, p.created_at_ms
        FROM prices AS p
        JOIN (SELECT model, MAX(version) AS version FROM prices GROUP BY model) AS latest
            ON latest.model = p.model AND latest.version = p.version
        ORDER BY p.model
        """,
    )


def list_versions(db: Connection, model: str, *, after: Cursor | None, count: int) -> list[Version]:
    """The newest first."""
    return db.find_all(
        Version,
        """
        SELECT model, version, unit, message_fen, input_ufen, cached_ufen, output_ufen,
            changed_by, created_at_ms
        FROM prices /*! FORCE INDEX (PRIMARY) */
        WHERE model = :model AND version < :before
        ORDER BY version DESC
        LIMIT :count
        """,
        model=model,
        before=(after or END).at,
        count=count,
    )


def add(db: Connection, price: Price, *, changed_by: str) -> None:
    """Raises: ChangedMeanwhile: another administrator has just added this version."""
    try:
        db.execute(
            """
            INSERT INTO prices
                (model, version, unit, message_fen, input_ufen, cached_ufen, output_ufen,
                 changed_by, created_at_ms)
            VALUES
                (:model, :version, :unit, :message_fen, :input_ufen, :cached_ufen, :output_ufen,
                 :changed_by, :created_at_ms)
            """,
            **vars(price),
            changed_by=changed_by,
            created_at_ms=now_ms(),
        )
    except DuplicateKey:
        raise ChangedMeanwhile from None
