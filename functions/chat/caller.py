"""Who is asking: somebody with an account, a guest, or anybody where nothing is counted."""

import hashlib
import hmac
from dataclasses import dataclass

from shared import auth, db, settings
from shared.client import network
from shared.config import load
from shared.errors import DatabaseNotConfigured, Unauthorized
from shared.http import Request
from shared.tokens import Claims


@dataclass(frozen=True)
class Caller:
    """`subject` is what messages are counted by: a user's id, or a guest's hashed address."""

    subject: str
    user_id: str | None
    daily_limit: int
    claims: Claims | None = None


def identify(request: Request) -> Caller | None:
    """Return the caller, or None where there is no database to count in.

    Raises:
        DatabaseNotConfigured: nothing can be counted, and that is not allowed here.
        Unauthorized: this deployment does not talk to guests.
        InvalidToken, TokenExpired: the token is none of ours, or too old.
    """
    chat, quota, claims = load(settings.Chat), load(settings.Quota), auth.claims_of(request)
    if not db.is_configured():
        if not chat.allow_unmetered:
            raise DatabaseNotConfigured
        return None
    if claims:
        return Caller(claims.user_id, claims.user_id, quota.daily_free_messages, claims)
    if quota.guest_daily_messages == 0:
        raise Unauthorized
    return Caller(_guest(request.client_ip), None, quota.guest_daily_messages)


def _guest(ip: str) -> str:
    """Keyed, because a plain hash of an address is soon undone by trying them all."""
    secret = load(settings.Tokens).secret.reveal().encode()
    return hmac.new(secret, b"guest:" + network(ip).encode(), hashlib.sha256).hexdigest()
