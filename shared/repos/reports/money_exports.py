"""Rows for export: what was bought, booked and used. Made like those of exports.py."""

from shared.database.connection import Batches, Connection


def orders(db: Connection, from_ms: int, to_ms: int) -> Batches:
    return db.stream_raw(
        """
        SELECT number, user_id, package_id, amount_fen, credit_fen, status, transaction_id,
               created_at_ms, paid_at_ms, refunded_at_ms
        FROM orders /*! FORCE INDEX (ix_orders_created) */
        WHERE created_at_ms >= :from_ms AND created_at_ms < :to_ms
        ORDER BY created_at_ms, number
        """,
        from_ms=from_ms,
        to_ms=to_ms,
    )


def transactions(db: Connection, from_ms: int, to_ms: int) -> Batches:
    return db.stream_raw(
        """
        SELECT id, user_id, entry_number, kind, amount_fen, balance_after_fen, business_key,
               reason, created_at_ms
        FROM ledger /*! FORCE INDEX (ix_ledger_created) */
        WHERE created_at_ms >= :from_ms AND created_at_ms < :to_ms
        ORDER BY created_at_ms, id
        """,
        from_ms=from_ms,
        to_ms=to_ms,
    )


def usage(db: Connection, from_ms: int, to_ms: int) -> Batches:
    """A turn, what it came to, and how the last attempt at it went; no word of what was said."""
    return db.stream_raw(
        """
        SELECT /*! STRAIGHT_JOIN */
               t.message_id, t.user_id, t.day, t.model, t.created_at_ms, t.ended_at_ms, t.state,
               t.payment, t.counted_prompt_tokens, t.cached_tokens, t.completion_tokens,
               t.charged_fen,
               (SELECT COUNT(*) FROM upstream_attempts AS e WHERE e.message_id = t.message_id),
               a.upstream, a.outcome, a.first_token_ms, a.duration_ms,
               (SELECT SUM(s.cost_ufen) FROM upstream_attempts AS s
                WHERE s.message_id = t.message_id),
               NULLIF(CAST(JSON_EXTRACT(t.outcome, '$.charge.receipt') AS CHAR), 'null')
        FROM turns AS t /*! FORCE INDEX (ix_turns_created) */
        LEFT JOIN upstream_attempts AS a
          ON a.message_id = t.message_id
         AND a.attempt = (SELECT MAX(l.attempt) FROM upstream_attempts AS l
                          WHERE l.message_id = t.message_id)
        WHERE t.created_at_ms >= :from_ms AND t.created_at_ms < :to_ms
        ORDER BY t.created_at_ms, t.message_id
        """,
        from_ms=from_ms,
        to_ms=to_ms,
    )
