"""Rate limits for asyncio code. Apart from rate_limits, because only chat loads asyncio."""

from shared.database import threads
from shared.limits import rate_limits
from shared.limits.rate_limits import Count
from shared.times import now_ms


async def take(*counts: Count) -> None:
    """`shared.limits.rate_limits.take` in a thread. Raises: what that raises."""
    if due := rate_limits.due_of(counts):
        await threads.autocommit(rate_limits.spend, due, at_ms=now_ms())
