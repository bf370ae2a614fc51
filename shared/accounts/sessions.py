"""Opening a session: an access token to show, and a refresh token to renew it with."""

from shared import settings
from shared.accounts import tokens
from shared.config import load
from shared.database.connection import Connection
from shared.ids import new_id
from shared.repos import sessions
from shared.repos.sessions import Session
from shared.repos.users import User
from shared.times import iso_utc, now_ms
from shared.web.requests import Request

_LONGEST_DEVICE = 200


def device_of(request: Request) -> str | None:
    """What the client calls itself."""
    said = request.headers.get("user-agent", "")
    shown = "".join(character for character in said if character.isprintable())
    return shown.strip()[:_LONGEST_DEVICE] or None


def open_for(db: Connection, user: User, device: str | None) -> dict[str, object]:
    """Return the session as the client gets it; the database keeps hashes only."""
    session_id, refresh, now = new_id(), tokens.new_refresh(), now_ms()
    sessions.add(db, Session(session_id, user.id, device, now, now))
    keep(db, refresh, session_id, opened_at_ms=now)
    return told(user, session_id, refresh)


def keep(db: Connection, refresh_token: str, session_id: str, *, opened_at_ms: int) -> None:
    """Store the hash of a new refresh token, good until the session is too old itself."""
    now = now_ms()
    sessions.add_refresh_token(
        db,
        tokens.refresh_hash(refresh_token),
        session_id,
        issued_at_ms=now,
        expires_at_ms=min(
            now + load(settings.Tokens).refresh_seconds * 1000,
            opened_at_ms + load(settings.Sessions).longest_seconds * 1000,
        ),
    )


def told(user: User, session_id: str, refresh_token: str) -> dict[str, object]:
    """A session as the client gets it."""
    return {
        "user": profile(user),
        "access_token": tokens.issue_access(tokens.Claims(user.id, session_id, user.role)),
        "expires_in": load(settings.Tokens).access_seconds,
        "refresh_token": refresh_token,
    }


def profile(user: User) -> dict[str, object]:
    return {
        "id": user.id,
        "email": user.email,
        "username": user.username,
        "role": user.role,
        "created_at": iso_utc(user.created_at_ms),
    }
