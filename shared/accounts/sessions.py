"""Opening sessions and issuing their tokens: an access token and a refresh token."""

from shared import settings
from shared.accounts import tokens
from shared.accounts.session_json import session_json
from shared.config import load
from shared.database.connection import Connection
from shared.ids import new_id
from shared.repos import sessions
from shared.repos.sessions import Session
from shared.repos.users import User
from shared.times import now_ms


def open_session(db: Connection, user: User, device: str | None) -> dict[str, object]:
    """Return the session as the client receives it; the database stores hashes only."""
    session_id, refresh, now = new_id(), tokens.new_refresh(), now_ms()
    sessions.add(db, Session(session_id, user.id, device, now, now))
    store_refresh_token(db, refresh, session_id, opened_at_ms=now)
    return issue(user, session_id, refresh)


def store_refresh_token(
    db: Connection, refresh_token: str, session_id: str, *, opened_at_ms: int
) -> None:
    """Store the hash of a new refresh token. It expires no later than the session."""
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


def issue(user: User, session_id: str, refresh_token: str) -> dict[str, object]:
    """Issue an access token; return the session as the client receives it."""
    return session_json(
        user,
        access_token=tokens.issue_access(tokens.Claims(user.id, session_id, user.role)),
        expires_in=load(settings.Tokens).access_seconds,
        refresh_token=refresh_token,
    )
