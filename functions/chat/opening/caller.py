"""Caller of a request: a user, a guest, or None where nothing is counted."""

from dataclasses import dataclass

from shared import settings
from shared.accounts import auth, guests
from shared.accounts.tokens import Claims
from shared.config import load
from shared.database import transactions
from shared.errors import DatabaseNotConfigured, Unauthorized
from shared.web.endpoint import Request


@dataclass(frozen=True)
class Caller:
    """`subject` is the counting key: a user's id, or a keyed hash of a guest's network.

    `used_today` is the number of a user's messages of the day when the caller was admitted.
    """

    subject: str
    user_id: str | None
    daily_limit: int
    claims: Claims | None = None
    used_today: int = 0


def identify_caller(request: Request) -> Caller | None:
    """Return the caller, or None if no database is configured to count in.

    Raises:
        DatabaseNotConfigured: nothing can be counted, and that is not allowed here.
        Unauthorized: this deployment does not serve guests.
        InvalidToken, TokenExpired: the access token is not valid, or has expired.
    """
    quota, claims = load(settings.Quota), auth.claims_of(request)
    if not transactions.is_configured():
        if not load(settings.Unmetered).is_allowed:
            raise DatabaseNotConfigured
        return None
    if claims:
        return Caller(claims.user_id, claims.user_id, quota.daily_free_messages, claims)
    if quota.guest_daily_messages == 0:
        raise Unauthorized
    subject = guests.of_address("guest", request)
    return Caller(subject, None, quota.guest_daily_messages)
