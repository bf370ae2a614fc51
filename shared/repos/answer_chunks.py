"""Chunks of answers, stored while an answer is being generated."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from shared.database.connection import Connection
from shared.ids import lowest_id
from shared.repos import rows


@dataclass(frozen=True)
class AnswerChunk:
    """`kind` is text, reasoning, refusal (text of a model that refuses) or tool_calls.

    The text of tool calls is that of shared.llm.call_lines.
    """

    kind: str
    text: str


@dataclass(frozen=True)
class StoredChunk(AnswerChunk):
    position: int


@dataclass(frozen=True)
class NewChunk(StoredChunk):
    message_id: str


_ROWS_AT_ONCE = 50
_COLUMNS = ("message_id", "position", "kind", "text", "part", "data")


def text_of(chunks: Iterable[AnswerChunk]) -> str:
    """The text of an answer, as a conversation keeps it."""
    return "".join(chunk.text for chunk in chunks if chunk.kind in {"text", "refusal"})


def _row(message_id: str, position: int, chunk: AnswerChunk) -> Mapping[str, object]:
    """The columns `kind` and `text` as version 0.4 reads them, which knows neither `part`.

    It shows a refusal as text, and nothing of tool calls.
    """
    is_known, is_call = chunk.kind in {"text", "reasoning"}, chunk.kind == "tool_calls"
    return {
        "message_id": message_id,
        "position": position,
        "kind": chunk.kind if is_known else "text",
        "text": "" if is_call else chunk.text,
        "part": None if is_known else chunk.kind,
        "data": chunk.text if is_call else None,
    }


def add(db: Connection, message_id: str, position: int, chunk: AnswerChunk) -> None:
    db.execute(
        """
        INSERT INTO pieces (message_id, position, kind, text, part, data)
        VALUES (:message_id, :position, :kind, :text, :part, :data)
        """,
        **_row(message_id, position, chunk),
    )


def add_all(db: Connection, new: Sequence[NewChunk]) -> None:
    """Insert many chunks with few statements: every running answer adds several a second."""
    for start in range(0, len(new), _ROWS_AT_ONCE):
        batch = [
            _row(chunk.message_id, chunk.position, chunk)
            for chunk in new[start : start + _ROWS_AT_ONCE]
        ]
        placeholders, parameters = rows.values(_COLUMNS, batch)
        db.defer(
            f"""
            INSERT INTO pieces (message_id, position, kind, text, part, data)
            VALUES {placeholders}
            """,  # noqa: S608  # names of parameters, made here
            **parameters,
        )


def list_from(db: Connection, message_id: str, position: int) -> list[StoredChunk]:
    return db.find_all(
        StoredChunk,
        """
        SELECT COALESCE(part, kind) AS kind, COALESCE(data, text) AS text, position
        FROM pieces
        WHERE message_id = :message_id AND position >= :position
        ORDER BY position
        """,
        message_id=message_id,
        position=position,
    )


def remove_from(db: Connection, message_id: str, position: int) -> None:
    """Remove the chunks that a save of unknown outcome may have left."""
    db.defer(
        "DELETE FROM pieces WHERE message_id = :message_id AND position >= :position",
        message_id=message_id,
        position=position,
    )


def remove_ended(db: Connection, before_ms: int, *, count: int) -> int:
    """Remove the chunks of up to `count` answers that ended before; return of how many.

    Ids are ordered by time, so the oldest chunks come first. On MySQL the join
    order is forced, because otherwise it might read every turn.
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
    """Delete answer by answer: a DELETE with a subquery reads the whole table on MySQL."""
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
    """Delete answer by answer, as for a conversation."""
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
