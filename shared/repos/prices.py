"""The prices a model has had."""

from shared.db import Connection, DuplicateKey
from shared.errors import Conflict
from shared.pricing import Price
from shared.times import now_ms


def find_current(db: Connection, model: str) -> Price | None:
    return db.find(
        Price,
        """
        SELECT model, version, unit, message_fen, input_ufen, cached_ufen, output_ufen
        FROM prices
        WHERE model = :model
        ORDER BY version DESC
        LIMIT 1
        """,
        model=model,
    )


def list_current(db: Connection) -> list[Price]:
    return db.find_all(
        Price,
        """
        SELECT p.model, p.version, p.unit, p.message_fen, p.input_ufen, p.cached_ufen,
            p.output_ufen
        FROM prices AS p
        JOIN (SELECT model, MAX(version) AS version FROM prices GROUP BY model) AS latest
            ON latest.model = p.model AND latest.version = p.version
        ORDER BY p.model
        """,
    )


def add(db: Connection, price: Price, *, changed_by: str) -> None:
    """Raises: Conflict: somebody else has just added this version."""
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
        raise Conflict from None
