"""Admission of a caller: identity first, then the rate limits."""

from dataclasses import replace

from functions.chat.opening.caller import Caller, identify_caller
from functions.chat.opening.unmetered import unmetered_limits
from shared.database import threads
from shared.limits import rate_limits, rate_limits_async
from shared.limits.admission import admit_user
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
    """As `admit`, and count users against the limit of chat messages, others in memory.

    Raises: TooManyRequests, also if too many messages of the caller were free because
        nothing came; InvalidToken, and what `identify_caller` raises.
    """
    caller = await admit(request)
    if caller is None:
        unmetered_limits.take(request)
        return None
    if caller.claims is None:
        unpaid = rate_limits.of_unpaid(caller.subject)
        if unpaid.rate:
            await threads.autocommit(rate_limits.refuse_used_up, [unpaid], at_ms=now_ms())
        return caller
    used_today = await threads.autocommit(admit_user, caller.claims)
    return replace(caller, used_today=used_today)
