"""Rows for export: what an administrator may take away, oldest first, streamed.

Each function is one SELECT and so one consistent snapshot. On MySQL the index
and the order of a join are forced (SQLite reads `/*! */` as a comment): left to
itself it sorts a large table before it sends the first row, and we would have
stopped waiting.
"""

from collections.abc import Generator
from dataclasses import dataclass

from shared.db import Connection
from shared.repos.audit import Entry


@dataclass(frozen=True)
class User:
    """An account without its password hash."""

    id: str
    email: str | None
    username: str | None
    role: str
    created_at_ms: int
    disabled_at_ms: int | None


@dataclass(frozen=True)
class Conversation:
    id: str
    user_id: str
    title: str
    created_at_ms: int
    updated_at_ms: int


@dataclass(frozen=True)
class Message:
    id: str
    conversation_id: str
    user_id: str
    role: str
    content: str
    model: str | None
    finish_reason: str | None
    prompt_tokens: int | None
    completion_tokens: int | None
    created_at_ms: int


def users(db: Connection, from_ms: int, to_ms: int) -> Generator[User, None, None]:
    rows = db.stream(
        """
        SELECT id, email, username, role, created_at_ms, disabled_at_ms
        FROM users /*! FORCE INDEX (ix_users_created) */
        WHERE created_at_ms >= :from_ms AND created_at_ms < :to_ms
        ORDER BY created_at_ms, id
        """,
        from_ms=from_ms,
        to_ms=to_ms,
    )
    return (User(*row) for row in rows)


def conversations(db: Connection, from_ms: int, to_ms: int) -> Generator[Conversation, None, None]:
    rows = db.stream(
        """
        SELECT id, user_id, title, created_at_ms, updated_at_ms
        FROM conversations /*! FORCE INDEX (ix_conversations_created) */
        WHERE created_at_ms >= :from_ms AND created_at_ms < :to_ms
        ORDER BY created_at_ms, id
        """,
        from_ms=from_ms,
        to_ms=to_ms,
    )
    return (Conversation(*row) for row in rows)


def messages(db: Connection, from_ms: int, to_ms: int) -> Generator[Message, None, None]:
    rows = db.stream(
        """
        SELECT /*! STRAIGHT_JOIN */
               m.id, m.conversation_id, c.user_id, m.role, m.content, m.model, m.finish_reason,
               m.prompt_tokens, m.completion_tokens, m.created_at_ms
        FROM messages AS m /*! FORCE INDEX (ix_messages_created) */
        JOIN conversations AS c ON c.id = m.conversation_id
        WHERE m.created_at_ms >= :from_ms AND m.created_at_ms < :to_ms
        ORDER BY m.created_at_ms, m.id
        """,
        from_ms=from_ms,
        to_ms=to_ms,
    )
    return (Message(*row) for row in rows)


def audit_log(db: Connection, from_ms: int, to_ms: int) -> Generator[Entry, None, None]:
    rows = db.stream(
        """
        SELECT id, at_ms, actor_id, action, detail
        FROM audit_log /*! FORCE INDEX (ix_audit_log_at) */
        WHERE at_ms >= :from_ms AND at_ms < :to_ms
        ORDER BY at_ms, id
        """,
        from_ms=from_ms,
        to_ms=to_ms,
    )
    return (Entry(*row) for row in rows)
