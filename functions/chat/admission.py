"""Admission of a caller: identity first, then the rate limits."""

from functions.chat.caller import Caller, identify_caller
from shared.accounts import auth
from shared.accounts.tokens import Claims
from shared.database import threads
from shared.database.connection import Connection
from shared.limits import rate_limits, rate_limits_async
from shared.limits.rate_limits import Count
from shared.times import now_ms
from shared.web.endpoint import Request


async def admit(request: Request) -> Caller | None:
    """Identify the caller, and count guests against the limit of their address.

    Raises: TooManyRequests, and what `identify_caller` raises.
    """
    caller = identify_caller(request)
    if caller and caller.user_id is None:
        await rate_limits_async.take(rate_limits.of_address("anonymous", request))
    return caller


async def admit_message(request: Request) -> Caller | None:
    """As `admit`, and count users against the limit of chat messages.

    Raises: TooManyRequests, InvalidToken, and what `identify_caller` raises.
    """
    caller = await admit(request)
    if caller and caller.claims:
        due = rate_limits.due_of([rate_limits.of_user("chat", caller.claims.user_id)])
        await threads.autocommit(_count_message, caller.claims, due)
    return caller


def _count_message(connection: Connection, claims: Claims, due: list[Count]) -> None:
    """The session is checked first: a request with an ended session uses up no limit."""
    auth.active_user(connection, claims)
    rate_limits.spend(connection, due, at_ms=now_ms())
