"""What somebody may hold and say about their sessions. Does no I/O."""

from typing import Annotated

from pydantic import BaseModel, StringConstraints

from shared.repos.sessions import RefreshToken, Session
from shared.times import iso_utc

# Tabs of one browser renew at the same moment, and an answer may get lost on its way.
REUSE_WINDOW_MS = 10_000

Token = Annotated[str, StringConstraints(min_length=1, max_length=2048)]


class Renewal(BaseModel):
    refresh_token: Token


class Leaving(BaseModel):
    """Without a refresh token, the access token says which session it is."""

    refresh_token: Token | None = None
    everywhere: bool = False


def was_used_long_before(token: RefreshToken, at_ms: int) -> bool:
    return token.used_at_ms is not None and token.used_at_ms <= at_ms - REUSE_WINDOW_MS


def is_good(token: RefreshToken, at_ms: int) -> bool:
    """Whether it renews its session at this moment, alone or together with others."""
    if token.used_at_ms is None:
        return token.expires_at_ms > at_ms
    return not was_used_long_before(token, at_ms)


def told(session: Session, current: str) -> dict[str, object]:
    return {
        "id": session.id,
        "device": session.device,
        "created_at": iso_utc(session.created_at_ms),
        "used_at": iso_utc(session.used_at_ms),
        "current": session.id == current,
    }
