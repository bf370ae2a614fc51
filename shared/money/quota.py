"""The quota as JSON: free messages of the day, and the balance. Does no I/O."""


def quota_json(daily_limit: int, used: int, spendable_fen: int | None) -> dict[str, object]:
    """Guests have no balance: their `spendable_fen` is None, and `balance_fen` is left out."""
    quota: dict[str, object] = {
        "daily_limit": daily_limit,
        "used_today": used,
        "remaining": max(daily_limit - used, 0),
    }
    return quota if spendable_fen is None else {**quota, "balance_fen": spendable_fen}
