"""Admission of a caller: identity first, then the rate limits."""

from dataclasses import replace

from functions.chat.opening.caller import Caller, identify_caller
from functions.chat.opening.unmetered import unmetered_limits
from shared.accounts.tokens import Claims
from shared.database import threads
from shared.database.connection import Connection
from shared.errors import InvalidToken
from shared.limits import rate_limits, rate_limits_async
from shared.limits.rate_limits import Count
from shared.repos import admissions
from shared.repos.rate_limits import Window
from shared.times import now_ms, shanghai_day
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
    """As `admit`, and count users against the limit of chat messages, others in memory.

    Raises: TooManyRequests, also if too many messages of the caller were free because
        nothing came; InvalidToken, and what `identify_caller` raises.
    """
    caller = await admit(request)
    if caller is None:
        unmetered_limits.take(request)
        return None
    unpaid = rate_limits.of_unpaid(caller.subject)
    if caller.claims is None:
        if unpaid.rate:
            await threads.autocommit(rate_limits.refuse_used_up, [unpaid], at_ms=now_ms())
        return caller
    used_today = await threads.autocommit(_admit_user, caller.claims, unpaid)
    return replace(caller, used_today=used_today)


def _admit_user(connection: Connection, claims: Claims, unpaid: Count) -> int:
    """Return the user's messages of today.

    The session is checked first: a request with an ended session uses up no limit.
    """
    now, user_id = now_ms(), claims.user_id
    found = admissions.find(
        connection, user_id, session_id=claims.session_id, day=shanghai_day(now)
    )
    if found is None:
        raise InvalidToken
    if found.unpaid_used is not None and found.unpaid_ends_ms is not None:
        window = Window(found.unpaid_ends_ms, found.unpaid_used)
        rate_limits.refuse_full(unpaid, window, at_ms=now)
    due = rate_limits.due_of([rate_limits.of_user("chat", user_id)])
    rate_limits.spend(connection, due, at_ms=now)
    return found.used_today or 0
