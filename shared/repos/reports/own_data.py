"""Rows for the copy of their own data that people may take away, streamed."""

from shared.database.connection import Batches, Connection


def profile(db: Connection, user_id: str) -> Batches:
    return db.stream_raw(
        """
        SELECT id, email, username, role, created_at_ms
        FROM users
        WHERE id = :user_id
        """,
        user_id=user_id,
    )


def sessions(db: Connection, user_id: str) -> Batches:
    return db.stream_raw(
        """
        SELECT id, device, created_at_ms, used_at_ms, ended_at_ms
        FROM sessions
        WHERE user_id = :user_id
        ORDER BY id
        """,
        user_id=user_id,
    )


def conversations(db: Connection, user_id: str) -> Batches:
    return db.stream_raw(
        """
        SELECT id, title, created_at_ms, updated_at_ms
        FROM conversations
        WHERE user_id = :user_id
        ORDER BY created_at_ms, id
        """,
        user_id=user_id,
    )


def messages(db: Connection, user_id: str, *, label: str) -> Batches:
    """`label` stands beside what a model wrote."""
    return db.stream_raw(
        """
        SELECT m.id, m.conversation_id, m.created_at_ms, m.role,
            CASE m.role WHEN 'assistant' THEN 1 ELSE 0 END AS ai_generated,
            CASE m.role WHEN 'assistant' THEN :label END AS ai_label,
            m.content, m.model, m.finish_reason, m.prompt_tokens, m.completion_tokens
        FROM conversations AS c
        JOIN messages AS m ON m.conversation_id = c.id
        WHERE c.user_id = :user_id
        ORDER BY m.created_at_ms, m.id
        """,
        user_id=user_id,
        label=label,
    )


def usage(db: Connection, user_id: str) -> Batches:
    """Every question, also those that came to nothing, and what it was charged."""
    return db.stream_raw(
        """
        SELECT message_id, conversation_id, question, day, model, state, payment,
            created_at_ms, ended_at_ms, counted_prompt_tokens, cached_tokens,
            completion_tokens, charged_fen,
            NULLIF(CAST(JSON_EXTRACT(outcome, '$.charge.receipt') AS CHAR), 'null')
        FROM turns
        WHERE user_id = :user_id
        ORDER BY message_id
        """,
        user_id=user_id,
    )


def transactions(db: Connection, user_id: str) -> Batches:
    return db.stream_raw(
        """
        SELECT id, entry_number, kind, amount_fen, balance_after_fen, reason, created_at_ms
        FROM ledger
        WHERE user_id = :user_id
        ORDER BY entry_number
        """,
        user_id=user_id,
    )


def orders(db: Connection, user_id: str) -> Batches:
    return db.stream_raw(
        """
        SELECT number, package_id, amount_fen, credit_fen, status, transaction_id,
            created_at_ms, paid_at_ms, refunded_at_ms
        FROM orders
        WHERE user_id = :user_id
        ORDER BY created_at_ms, number
        """,
        user_id=user_id,
    )


def invites(db: Connection, user_id: str) -> Batches:
    """The codes by which others came, or may come, on their invitation."""
    return db.stream_raw(
        """
        SELECT code, max_uses, used, created_at_ms, expires_at_ms
        FROM invites
        WHERE owner_id = :user_id
        ORDER BY created_at_ms, code
        """,
        user_id=user_id,
    )
