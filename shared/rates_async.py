"""The limits of shared.rates for code that must not wait."""

from shared import db_async, rates
from shared.rates import Count
from shared.times import now_ms


async def take(*counts: Count) -> None:
    """`shared.rates.take` in a thread. Raises: what that raises."""
    if due := rates.due_of(counts):
        await db_async.autocommit(rates.spend, due, at_ms=now_ms())
