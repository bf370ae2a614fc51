"""Answers as they grow, piece by piece."""

from collections.abc import Sequence
from dataclasses import dataclass

from shared.database.connection import Connection
from shared.ids import lowest_id
from shared.repos import rows


@dataclass(frozen=True)
class Piece:
    """`kind` is text or reasoning."""

    kind: str
    text: str


@dataclass(frozen=True)
class StoredPiece(Piece):
    position: int


@dataclass(frozen=True)
class NewPiece(StoredPiece):
    message_id: str


_ROWS_AT_ONCE = 50


def add(db: Connection, message_id: str, position: int, piece: Piece) -> None:
    db.execute(
        """
        INSERT INTO pieces (message_id, position, kind, text)
        VALUES (:message_id, :position, :kind, :text)
        """,
        message_id=message_id,
        position=position,
        kind=piece.kind,
        text=piece.text,
    )


def add_all(db: Connection, new: Sequence[NewPiece]) -> None:
    """One statement for many, which is what several a second for each answer come down to."""
    for start in range(0, len(new), _ROWS_AT_ONCE):
        batch = [vars(piece) for piece in new[start : start + _ROWS_AT_ONCE]]
        places, given = rows.values(("message_id", "position", "kind", "text"), batch)
        db.execute(
            f"""
            INSERT INTO pieces (message_id, position, kind, text)
            VALUES {places}
            """,  # noqa: S608  # names of parameters, made here
            **given,
        )


def list_from(db: Connection, message_id: str, position: int) -> list[StoredPiece]:
    return db.find_all(
        StoredPiece,
        """
        SELECT kind, text, position
        FROM pieces
        WHERE message_id = :message_id AND position >= :position
        ORDER BY position
        """,
        message_id=message_id,
        position=position,
    )


def remove_from(db: Connection, message_id: str, position: int) -> None:
    """Take back what a save of unknown outcome may have left."""
    db.execute(
        "DELETE FROM pieces WHERE message_id = :message_id AND position >= :position",
        message_id=message_id,
        position=position,
    )


def remove_ended(db: Connection, before_ms: int, *, count: int) -> int:
    """Remove the pieces of `count` answers that ended before; return of how many it did.

    Ids are ordered by time, so the oldest pieces come first; on MySQL the order
    of the join is forced, or all turns there ever were might be read for it.
    """
    ended = db.find_all(
        lambda message_id: str(message_id),
        """
        SELECT /*! STRAIGHT_JOIN */ DISTINCT p.message_id
        FROM pieces AS p
        JOIN turns AS t ON t.message_id = p.message_id
        WHERE p.message_id < :lowest_id AND t.ended_at_ms < :before_ms
        ORDER BY p.message_id
        LIMIT :count
        """,
        lowest_id=lowest_id(before_ms),
        before_ms=before_ms,
        count=count,
    )
    for message_id in ended:
        remove_from(db, message_id, 0)
    return len(ended)


def remove_of_conversation(db: Connection, user_id: str, conversation_id: str) -> None:
    """One by one: a DELETE with a subquery would read the whole table on MySQL."""
    answers = db.find_all(
        lambda message_id: str(message_id),
        """
        SELECT DISTINCT p.message_id
        FROM turns AS t
        JOIN pieces AS p ON p.message_id = t.message_id
        WHERE t.user_id = :user_id AND t.conversation_id = :conversation_id
        """,
        user_id=user_id,
        conversation_id=conversation_id,
    )
    for message_id in answers:
        remove_from(db, message_id, 0)


def remove_of_user(db: Connection, user_id: str) -> None:
    """One by one, as those of a conversation."""
    answers = db.find_all(
        lambda message_id: str(message_id),
        """
        SELECT DISTINCT p.message_id
        FROM turns AS t
        JOIN pieces AS p ON p.message_id = t.message_id
        WHERE t.user_id = :user_id
        """,
        user_id=user_id,
    )
    for message_id in answers:
        remove_from(db, message_id, 0)
