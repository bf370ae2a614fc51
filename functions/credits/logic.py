"""Credits, transactions and pricing as JSON. Does no I/O."""

from collections.abc import Sequence

from shared.money.quota import quota_json
from shared.pricing import Price, formula, price_json
from shared.repos.wallets import NumberedLedgerEntry, Wallet
from shared.settings import Quota
from shared.times import iso_utc
from shared.web.lists import list_json


def credits_json(daily_limit: int, used_today: int, wallet: Wallet) -> dict[str, object]:
    """`balance_fen` is what may still be spent; `reserved_fen` is held for running answers."""
    quota = quota_json(daily_limit, used_today, wallet.balance_fen - wallet.reserved_fen)
    return {**quota, "reserved_fen": wallet.reserved_fen}


def transaction_json(entry: NumberedLedgerEntry) -> dict[str, object]:
    return {
        "id": entry.id,
        "kind": entry.kind,
        "amount_fen": entry.amount_fen,
        "balance_after_fen": entry.balance_after_fen,
        "reason": entry.reason,
        "created_at": iso_utc(entry.created_at_ms),
    }


def pricing_json(quota: Quota, prices: Sequence[Price]) -> dict[str, object]:
    """A message to a model without a listed price costs `message_price_fen`.

    Without the credit system there are only the free messages.
    """
    return {
        "daily_free_messages": quota.daily_free_messages,
        "guest_daily_messages": quota.guest_daily_messages,
        "credit_system": quota.enable_credit_system,
        "message_price_fen": quota.message_price_fen,
        **list_json([{**price_json(price), "formula": formula(price.unit)} for price in prices]),
    }
