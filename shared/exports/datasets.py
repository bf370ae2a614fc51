"""The datasets and their columns: a field that is not selected does not leave."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from shared.database.connection import Batches, Connection
from shared.exports.columns import NUMBER, TEXT, TIME, TRUTH, Column, columns
from shared.repos.reports import exports, money_exports

# What readers must be able to see beside text of a model (GB 45438-2025, explicit labels).
AI_LABEL = "AI生成 (AI-generated)"


@dataclass(frozen=True)
class Dataset:
    """`rows` reads a period, its values in the order of `columns`."""

    rows: Callable[[Connection, int, int], Batches]
    columns: tuple[Column, ...]
    has_ai_text: bool = False


_USERS = Dataset(
    exports.users,
    columns(id=TEXT, email=TEXT, username=TEXT, role=TEXT, created_at=TIME, disabled_at=TIME),
)

_CONVERSATIONS = Dataset(
    exports.conversations,
    columns(id=TEXT, user_id=TEXT, title=TEXT, created_at=TIME, updated_at=TIME),
)

_MESSAGES = Dataset(
    lambda db, from_ms, to_ms: exports.messages(db, from_ms, to_ms, label=AI_LABEL),
    columns(
        id=TEXT,
        conversation_id=TEXT,
        user_id=TEXT,
        created_at=TIME,
        role=TEXT,
        ai_generated=TRUTH,
        ai_label=TEXT,
        content=TEXT,
        model=TEXT,
        finish_reason=TEXT,
        prompt_tokens=NUMBER,
        completion_tokens=NUMBER,
    ),
    has_ai_text=True,
)

_ORDERS = Dataset(
    money_exports.orders,
    columns(
        number=TEXT,
        user_id=TEXT,
        package_id=TEXT,
        amount_fen=NUMBER,
        credit_fen=NUMBER,
        status=TEXT,
        transaction_id=TEXT,
        created_at=TIME,
        paid_at=TIME,
        refunded_at=TIME,
    ),
)

_TRANSACTIONS = Dataset(
    money_exports.transactions,
    columns(
        id=TEXT,
        user_id=TEXT,
        entry_number=NUMBER,
        kind=TEXT,
        amount_fen=NUMBER,
        balance_after_fen=NUMBER,
        business_key=TEXT,
        reason=TEXT,
        created_at=TIME,
    ),
)

# One row for each turn. `upstream` to `duration_ms` are of the last attempt at it.
_USAGE = Dataset(
    money_exports.usage,
    columns(
        message_id=TEXT,
        user_id=TEXT,
        day=TEXT,
        model=TEXT,
        created_at=TIME,
        ended_at=TIME,
        state=TEXT,
        payment=TEXT,
        prompt_tokens=NUMBER,
        cached_tokens=NUMBER,
        completion_tokens=NUMBER,
        charged_fen=NUMBER,
        attempts=NUMBER,
        upstream=TEXT,
        outcome=TEXT,
        first_token_ms=NUMBER,
        duration_ms=NUMBER,
        cost_ufen=NUMBER,
        receipt=TEXT,
    ),
)

_AUDIT = Dataset(
    exports.audit_log, columns(id=TEXT, at=TIME, actor_id=TEXT, action=TEXT, detail=TEXT)
)

DATASETS: Mapping[str, Dataset] = {
    "users": _USERS,
    "conversations": _CONVERSATIONS,
    "messages": _MESSAGES,
    "orders": _ORDERS,
    "transactions": _TRANSACTIONS,
    "usage": _USAGE,
    "audit": _AUDIT,
}
