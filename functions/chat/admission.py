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

    Raises: TooManyRequests, also if too many messages of the caller were free because
        nothing came; InvalidToken, and what `identify_caller` raises.
    """
    caller = await admit(request)
    if caller:
        unpaid = rate_limits.due_of([rate_limits.of_unpaid(caller.subject)])
        if caller.claims or unpaid:
            await threads.autocommit(_admit_message, caller.claims, unpaid)
    return caller


def _admit_message(connection: Connection, claims: Claims | None, unpaid: list[Count]) -> None:
    """The session is checked first: a request with an ended session uses up no limit."""
    if claims:
        auth.active_user(connection, claims)
    rate_limits.refuse_used_up(connection, unpaid, at_ms=now_ms())
    if claims:
        due = rate_limits.due_of([rate_limits.of_user("chat", claims.user_id)])
        rate_limits.spend(connection, due, at_ms=now_ms())
