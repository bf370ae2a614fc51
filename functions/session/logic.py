"""Request models of the session endpoints, and when a refresh token is valid. Does no I/O."""

from typing import Annotated

from pydantic import BaseModel, StringConstraints

from shared.repos.sessions import RefreshToken, Session
from shared.times import iso_utc

# Tabs of one browser may renew at the same moment, and an answer may get lost.
REUSE_WINDOW_MS = 10_000

Token = Annotated[str, StringConstraints(min_length=1, max_length=2048)]


class RenewSession(BaseModel):
    refresh_token: Token


class Logout(BaseModel):
    """Without a refresh token, the session is that of the access token."""

    refresh_token: Token | None = None
    everywhere: bool = False


def was_used_long_before(token: RefreshToken, at_ms: int) -> bool:
    return token.used_at_ms is not None and token.used_at_ms <= at_ms - REUSE_WINDOW_MS


def is_valid(token: RefreshToken, at_ms: int) -> bool:
    """Say whether the token renews its session at this moment, perhaps not for the first time."""
    if token.used_at_ms is None:
        return token.expires_at_ms > at_ms
    return not was_used_long_before(token, at_ms)


def listed_session_json(session: Session, current: str) -> dict[str, object]:
    return {
        "id": session.id,
        "device": session.device,
        "created_at": iso_utc(session.created_at_ms),
        "used_at": iso_utc(session.used_at_ms),
        "current": session.id == current,
    }
