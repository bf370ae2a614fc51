"""The queue of objects that are to be deleted from the storage.

An object is entered before it can exist, or in the transaction that drops its last reference.
So an interruption leaves no object behind.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from shared.database.connection import Connection


@dataclass(frozen=True)
class ObjectDeletion:
    object_key: str
    next_at_ms: int
    attempts: int


def queue(db: Connection, keys: Iterable[str], *, at_ms: int, next_at_ms: int) -> None:
    """Enter objects, to be deleted from `next_at_ms` on; it replaces an earlier time."""
    for key in keys:
        db.defer(
            """
            INSERT INTO object_deletions (object_key, queued_at_ms, next_at_ms, attempts)
            VALUES (:object_key, :at_ms, :next_at_ms, 0)
            ON CONFLICT (object_key) DO UPDATE SET next_at_ms = excluded.next_at_ms
            """,
            object_key=key,
            at_ms=at_ms,
            next_at_ms=next_at_ms,
        )


def bring_forward(db: Connection, prefix: str, *, next_at_ms: int) -> None:
    """Bring forward the deletion of entered objects whose keys begin with this text."""
    db.execute(
        """
        UPDATE object_deletions
        SET next_at_ms = :next_at_ms
        WHERE object_key LIKE :pattern AND next_at_ms > :next_at_ms
        """,
        pattern=f"{prefix}%",
        next_at_ms=next_at_ms,
    )


def keep(db: Connection, key: str) -> bool:
    """Take an object out of the queue, because it is referred to from now on.

    False if its deletion has begun: it may be gone already.
    """
    return bool(
        db.execute(
            "DELETE FROM object_deletions WHERE object_key = :object_key AND attempts = 0",
            object_key=key,
        )
    )


def list_due(db: Connection, at_ms: int, *, count: int) -> list[ObjectDeletion]:
    """The objects whose time has come, the longest due first."""
    return db.find_all(
        ObjectDeletion,
        """
        SELECT object_key, next_at_ms, attempts
        FROM object_deletions
        WHERE next_at_ms <= :at_ms
        ORDER BY next_at_ms, object_key
        LIMIT :count
        """,
        at_ms=at_ms,
        count=count,
    )


def begin(db: Connection, due: ObjectDeletion, *, next_at_ms: int) -> bool:
    """Claim a deletion before the storage is called; say whether it is this caller's.

    From here on the object cannot be kept. `next_at_ms` is the time of the next try, should
    this one fail or its process be killed.
    """
    return bool(
        db.execute(
            """
            UPDATE object_deletions
            SET attempts = attempts + 1, next_at_ms = :later_ms
            WHERE object_key = :object_key AND next_at_ms = :next_at_ms
            """,
            object_key=due.object_key,
            next_at_ms=due.next_at_ms,
            later_ms=next_at_ms,
        )
    )


def finish(db: Connection, key: str, *, next_at_ms: int) -> None:
    """Remove the entry of a deleted object, unless it was entered again since `begin`."""
    db.execute(
        """
        DELETE FROM object_deletions
        WHERE object_key = :object_key AND next_at_ms = :next_at_ms
        """,
        object_key=key,
        next_at_ms=next_at_ms,
    )
