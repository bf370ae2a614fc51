"""Who is asking: somebody with an account, a guest, or anybody where nothing is counted."""

from dataclasses import dataclass

from shared import settings
from shared.accounts import auth, guests
from shared.accounts.tokens import Claims
from shared.config import load
from shared.database import threads, transactions
from shared.database.connection import Connection
from shared.errors import DatabaseNotConfigured, Unauthorized
from shared.limits import rate_limits, rate_limits_async
from shared.limits.rate_limits import Count
from shared.times import now_ms
from shared.web.endpoint import Request


@dataclass(frozen=True)
class Caller:
    """`subject` is what messages are counted by: a user's id, or a guest's hashed address."""

    subject: str
    user_id: str | None
    daily_limit: int
    claims: Claims | None = None


async def admit(request: Request) -> Caller | None:
    """`identify`, and hold guests to what an address may. Raises: TooManyRequests also."""
    caller = identify(request)
    if caller and caller.user_id is None:
        await rate_limits_async.take(rate_limits.of_address("anonymous", request))
    return caller


async def admit_message(request: Request) -> Caller | None:
    """`admit`, and hold people with an account to what they may say.

    Raises: InvalidToken also.
    """
    caller = await admit(request)
    if caller and caller.claims:
        due = rate_limits.due_of([rate_limits.of_user("chat", caller.claims.user_id)])
        await threads.autocommit(_admit, caller.claims, due)
    return caller


def _admit(connection: Connection, claims: Claims, due: list[Count]) -> None:
    """Whoever holds the token of a session that was ended uses nothing up."""
    auth.active_user(connection, claims)
    rate_limits.spend(connection, due, at_ms=now_ms())


def identify(request: Request) -> Caller | None:
    """Return the caller, or None where there is no database to count in.

    Raises:
        DatabaseNotConfigured: nothing can be counted, and that is not allowed here.
        Unauthorized: this deployment does not talk to guests.
        InvalidToken, TokenExpired: the token is none of ours, or too old.
    """
    chat, quota, claims = load(settings.Chat), load(settings.Quota), auth.claims_of(request)
    if not transactions.is_configured():
        if not chat.allow_unmetered:
            raise DatabaseNotConfigured
        return None
    if claims:
        return Caller(claims.user_id, claims.user_id, quota.daily_free_messages, claims)
    if quota.guest_daily_messages == 0:
        raise Unauthorized
    subject = guests.of_address("guest", request)
    return Caller(subject, None, quota.guest_daily_messages)
