"""What credits, transactions and pricing say. Does no I/O."""

from collections.abc import Sequence
from dataclasses import asdict

from shared.pricing import Price, formula
from shared.repos.wallets import NumberedEntry, Wallet
from shared.settings import Quota
from shared.times import iso_utc


def credits(daily_limit: int, used_today: int, wallet: Wallet) -> dict[str, object]:
    """`balance_fen` is what may still be spent; `reserved_fen` is for answers being given."""
    return {
        "daily_limit": daily_limit,
        "used_today": used_today,
        "remaining": max(daily_limit - used_today, 0),
        "balance_fen": wallet.balance_fen - wallet.reserved_fen,
        "reserved_fen": wallet.reserved_fen,
    }


def transaction(entry: NumberedEntry) -> dict[str, object]:
    return {
        "id": entry.id,
        "kind": entry.kind,
        "amount_fen": entry.amount_fen,
        "balance_after_fen": entry.balance_after_fen,
        "reason": entry.reason,
        "created_at": iso_utc(entry.created_at_ms),
    }


def pricing(quota: Quota, prices: Sequence[Price]) -> dict[str, object]:
    """A message to a model that is not listed costs `message_price_fen`.

    Without the credit system there is nothing to buy beyond the free messages.
    """
    return {
        "daily_free_messages": quota.daily_free_messages,
        "guest_daily_messages": quota.guest_daily_messages,
        "credit_system": quota.enable_credit_system,
        "message_price_fen": quota.message_price_fen,
        "models": [{**asdict(price), "formula": formula(price)} for price in prices],
    }
