"""/api/auth/refresh, /logout and /sessions: renew a session, end it, see which there are."""

from functions.session import rotation
from functions.session.logic import Leaving, Renewal, is_good, told
from shared.accounts import auth
from shared.accounts.sessions import device_of
from shared.accounts.tokens import Claims, refresh_hash
from shared.database.connection import Connection
from shared.database.transactions import read, transaction
from shared.errors import InvalidRefreshToken, NotFound, RefreshTokenReused
from shared.limits import rate_limits
from shared.repos import sessions, users
from shared.times import now_ms
from shared.web.endpoint import Request, Response, endpoint, serve

_MOST_LISTED = 100


@endpoint("POST", "/api/auth/refresh")
def refresh(request: Request) -> Response:
    given = request.parse(Renewal)
    _hold_back_strangers(request, given.refresh_token)
    session = transaction(rotation.rotate, given.refresh_token, device_of(request))
    if session is None:
        raise RefreshTokenReused
    return Response.ok(session)


@endpoint("POST", "/api/auth/logout")
def logout(request: Request) -> Response:
    leaving = request.parse(Leaving) if request.body else Leaving()
    if leaving.refresh_token:  # whatever came with it: clients send stale access tokens along
        ended = transaction(_leave_by_token, leaving.refresh_token, everywhere=leaving.everywhere)
    else:
        claims = auth.signed_in(request)
        ended = transaction(_leave, claims, everywhere=leaving.everywhere)
    return Response.ok({"sessions_ended": ended})


@endpoint("GET", "/api/auth/sessions")
def listing(request: Request) -> Response:
    return Response.ok(read(_list, auth.signed_in(request)))


@endpoint("DELETE", "/api/auth/sessions/{session_id}")
def revoke(request: Request) -> Response:
    transaction(_revoke, auth.signed_in(request), request.path["session_id"])
    return Response.ok({"id": request.path["session_id"]})


def _hold_back_strangers(request: Request, refresh_token: str) -> None:
    """Whoever has a token of ours is none, and nobody at their address can keep them out."""
    if read(sessions.find_refresh_token, refresh_hash(refresh_token)) is None:
        rate_limits.take(rate_limits.of_address("anonymous", request))


def _leave(db: Connection, claims: Claims, *, everywhere: bool) -> int:
    """Leaving twice is no error; only who is still signed in can speak for the other sessions."""
    if everywhere:
        auth.active_user(db, claims)
        return sessions.end_all(db, claims.user_id, at_ms=now_ms())
    return int(sessions.end(db, claims.session_id, claims.user_id, at_ms=now_ms()))


def _leave_by_token(db: Connection, refresh_token: str, *, everywhere: bool) -> int:
    now = now_ms()
    token = sessions.find_refresh_token(db, refresh_hash(refresh_token))
    if token is None:
        raise InvalidRefreshToken
    if not everywhere:
        return int(sessions.end(db, token.session_id, token.user_id, at_ms=now))
    user = users.find_active(db, token.user_id, session_id=token.session_id)
    if user is None or not is_good(token, now):
        raise InvalidRefreshToken
    return sessions.end_all(db, user.id, at_ms=now)


def _list(db: Connection, claims: Claims) -> dict[str, object]:
    user, current = auth.active_user(db, claims), claims.session_id
    live = sessions.list_live(db, user.id, current=current, at_ms=now_ms(), count=_MOST_LISTED)
    return {"sessions": [told(session, current) for session in live]}


def _revoke(db: Connection, claims: Claims, session_id: str) -> None:
    user = auth.active_user(db, claims)
    if not sessions.end(db, session_id, user.id, at_ms=now_ms()):
        raise NotFound


handler = serve(refresh, logout, listing, revoke)
