"""Rows for export: what an administrator may take away, oldest first, streamed.

Each function is one SELECT and so one consistent snapshot. Rows leave in batches
and as the database sent them: most of it goes into a file as it is, and whoever
writes the file knows what each column holds (shared/exports/datasets.py).

On MySQL the index and the order of a join are forced (SQLite reads `/*! */` as a
comment): left to itself it sorts a large table before it sends the first row,
and we would have stopped waiting.
"""

from shared.database.connection import Batches, Connection


def users(db: Connection, from_ms: int, to_ms: int) -> Batches:
    """Without their password hashes."""
    return db.stream_raw(
        """
        SELECT id, email, username, role, created_at_ms, disabled_at_ms
        FROM users /*! FORCE INDEX (ix_users_created) */
        WHERE created_at_ms >= :from_ms AND created_at_ms < :to_ms
        ORDER BY created_at_ms, id
        """,
        from_ms=from_ms,
        to_ms=to_ms,
    )


def conversations(db: Connection, from_ms: int, to_ms: int) -> Batches:
    return db.stream_raw(
        """
        SELECT id, user_id, title, created_at_ms, updated_at_ms
        FROM conversations /*! FORCE INDEX (ix_conversations_created) */
        WHERE created_at_ms >= :from_ms AND created_at_ms < :to_ms
        ORDER BY created_at_ms, id
        """,
        from_ms=from_ms,
        to_ms=to_ms,
    )


def messages(db: Connection, from_ms: int, to_ms: int, *, label: str) -> Batches:
    """`label` stands beside what a model wrote."""
    return db.stream_raw(
        """
        SELECT /*! STRAIGHT_JOIN */
               m.id, m.conversation_id, c.user_id, m.created_at_ms, m.role,
               CASE m.role WHEN 'assistant' THEN 1 ELSE 0 END AS ai_generated,
               CASE m.role WHEN 'assistant' THEN :label END AS ai_label,
               m.content, m.model, m.finish_reason, m.prompt_tokens, m.completion_tokens
        FROM messages AS m /*! FORCE INDEX (ix_messages_created) */
        JOIN conversations AS c ON c.id = m.conversation_id
        WHERE m.created_at_ms >= :from_ms AND m.created_at_ms < :to_ms
        ORDER BY m.created_at_ms, m.id
        """,
        from_ms=from_ms,
        to_ms=to_ms,
        label=label,
    )


def audit_log(db: Connection, from_ms: int, to_ms: int) -> Batches:
    return db.stream_raw(
        """
        SELECT id, at_ms, actor_id, action, detail
        FROM audit_log /*! FORCE INDEX (ix_audit_log_at) */
        WHERE at_ms >= :from_ms AND at_ms < :to_ms
        ORDER BY at_ms, id
        """,
        from_ms=from_ms,
        to_ms=to_ms,
    )
