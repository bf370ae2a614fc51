"""Datasets of orders, ledger entries and the usage of models."""

from shared.repos.reports.dataset import ADMINS, OWNER, Dataset, cost, number, text, time

ORDERS = Dataset(
    columns=(
        text("number"),
        text("user_id", only=ADMINS),
        text("package_id"),
        number("amount_fen"),
        number("credit_fen"),
        text("status"),
        text("transaction_id"),
        time("created_at"),
        time("paid_at"),
        time("refunded_at"),
    ),
    of_period="""
        FROM orders /*! FORCE INDEX (ix_orders_created) */
        WHERE created_at_ms >= :from_ms AND created_at_ms < :to_ms
        ORDER BY created_at_ms, number
    """,
    of_user="""
        FROM orders
        WHERE user_id = :user_id
        ORDER BY created_at_ms, number
    """,
)

# `receipt` is filled when the turn of a charge is removed; before, USAGE has the receipt.
TRANSACTIONS = Dataset(
    columns=(
        text("id"),
        text("user_id", only=ADMINS),
        number("entry_number"),
        text("kind"),
        number("amount_fen"),
        number("balance_after_fen"),
        text("business_key", only=ADMINS),
        text("reason"),
        time("created_at"),
        text("receipt"),
    ),
    of_period="""
        FROM ledger /*! FORCE INDEX (ix_ledger_created) */
        WHERE created_at_ms >= :from_ms AND created_at_ms < :to_ms
        ORDER BY created_at_ms, id
    """,
    of_user="""
        FROM ledger
        WHERE user_id = :user_id
        ORDER BY entry_number
    """,
)

# One row per turn, also for turns without an answer. `upstream` to `duration_ms` are of the
# last call to an upstream. The question is for its owner only, and that of a settled turn is
# in the messages instead. Owners find the times after
# the state, administrators before it.
USAGE = Dataset(
    columns=(
        text("message_id", "t.message_id"),
        text("user_id", "t.user_id", only=ADMINS),
        text("conversation_id", "t.conversation_id", only=OWNER),
        text("question", "t.question", only=OWNER),
        text("day", "t.day"),
        text("model", "t.model"),
        time("created_at", "t.created_at_ms", only=ADMINS),
        time("ended_at", "t.ended_at_ms", only=ADMINS),
        text("state", "t.state"),
        text("payment", "t.payment"),
        time("created_at", "t.created_at_ms", only=OWNER),
        time("ended_at", "t.ended_at_ms", only=OWNER),
        number("prompt_tokens", "t.counted_prompt_tokens"),
        number("cached_tokens", "t.cached_tokens"),
        number("completion_tokens", "t.completion_tokens"),
        number("charged_fen", "t.charged_fen"),
        number(
            "attempts",
            "(SELECT COUNT(*) FROM upstream_attempts AS e WHERE e.message_id = t.message_id)",
            only=ADMINS,
        ),
        text("upstream", "a.upstream", only=ADMINS),
        text("outcome", "a.outcome", only=ADMINS),
        number("first_token_ms", "a.first_token_ms", only=ADMINS),
        number("duration_ms", "a.duration_ms", only=ADMINS),
        cost(
            "cost_fen",
            "(SELECT SUM(s.cost_ufen) FROM upstream_attempts AS s"
            " WHERE s.message_id = t.message_id)",
            only=ADMINS,
        ),
        text(
            "receipt",
            "NULLIF(CAST(JSON_EXTRACT(t.outcome, '$.charge.receipt') AS CHAR), 'null')",
        ),
    ),
    of_period="""
        FROM turns AS t /*! FORCE INDEX (ix_turns_created) */
        LEFT JOIN upstream_attempts AS a
          ON a.message_id = t.message_id
         AND a.attempt = (SELECT MAX(l.attempt) FROM upstream_attempts AS l
                          WHERE l.message_id = t.message_id)
        WHERE t.created_at_ms >= :from_ms AND t.created_at_ms < :to_ms
        ORDER BY t.created_at_ms, t.message_id
    """,
    of_user="""
        FROM turns AS t
        WHERE t.user_id = :user_id
        ORDER BY t.message_id
    """,
)
