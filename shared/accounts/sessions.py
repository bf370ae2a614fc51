"""Opening sessions and issuing their tokens: an access token and a refresh token."""

from shared import settings
from shared.accounts import tokens
from shared.accounts.session_json import session_json
from shared.config import load
from shared.database.connection import Connection
from shared.errors import WrongCredentials
from shared.ids import new_id
from shared.repos import sessions
from shared.repos.sessions import Session
from shared.repos.users import User
from shared.times import now_ms


def open_session(db: Connection, user: User, device: str | None) -> dict[str, object]:
    """Return the session as the client receives it; the database stores hashes only.

    Needs no transaction. A logout in between ends the session, as one just after would. A
    session without a refresh token, from a login that was interrupted, is of no use, and
    maintenance removes it.

    Raises: WrongCredentials: the password or the status of the account has changed since
    it was read.
    """
    session_id, refresh, now = new_id(), tokens.new_refresh(), now_ms()
    session = Session(session_id, user.id, device, now, now)
    if not sessions.add_if_unchanged(db, session, user.password_hash):
        raise WrongCredentials
    if not store_refresh_token(db, refresh, session_id, opened_at_ms=now, even_if_ended=True):
        raise WrongCredentials  # the account was deleted
    return issue(user, session_id, refresh)


def store_refresh_token(
    db: Connection,
    refresh_token: str,
    session_id: str,
    *,
    opened_at_ms: int,
    even_if_ended: bool = False,
) -> bool:
    """Store the hash of a new refresh token. It expires no later than the session.

    False where the session has ended or is gone. Raises: DuplicateKey: it was stored before.
    """
    now = now_ms()
    return sessions.add_refresh_token(
        db,
        tokens.refresh_hash(refresh_token),
        session_id,
        issued_at_ms=now,
        expires_at_ms=min(
            now + load(settings.Tokens).refresh_seconds * 1000,
            opened_at_ms + load(settings.Sessions).longest_seconds * 1000,
        ),
        even_if_ended=even_if_ended,
    )


def issue(user: User, session_id: str, refresh_token: str) -> dict[str, object]:
    """Issue an access token; return the session as the client receives it."""
    return session_json(
        user,
        access_token=tokens.issue_access(tokens.Claims(user.id, session_id, user.role)),
        expires_in=load(settings.Tokens).access_seconds,
        refresh_token=refresh_token,
    )
