"""Opening a session: an access token to show, and a refresh token to renew it with."""

from shared import settings, tokens
from shared.config import load
from shared.db import Connection
from shared.ids import new_id
from shared.repos import sessions
from shared.repos.users import User
from shared.times import iso_utc, now_ms


def open_for(db: Connection, user: User) -> dict[str, object]:
    """Return the session as the client gets it; the database keeps hashes only."""
    settled = load(settings.Tokens)
    session_id, refresh, now = new_id(), tokens.new_refresh(), now_ms()
    sessions.add(db, session_id, user.id, at_ms=now)
    sessions.add_refresh_token(
        db,
        tokens.refresh_hash(refresh),
        session_id,
        issued_at_ms=now,
        expires_at_ms=now + settled.refresh_seconds * 1000,
    )
    return {
        "user": profile(user),
        "access_token": tokens.issue_access(tokens.Claims(user.id, session_id, user.role)),
        "expires_in": settled.access_seconds,
        "refresh_token": refresh,
    }


def profile(user: User) -> dict[str, object]:
    return {
        "id": user.id,
        "email": user.email,
        "username": user.username,
        "role": user.role,
        "created_at": iso_utc(user.created_at_ms),
    }
