"""/api/auth/refresh, /logout and /sessions: renew, end and list sessions."""

from functions.session import rotation
from functions.session.logic import Logout, RenewSession, is_valid, listed_session_json
from shared.accounts import auth
from shared.accounts.device_name import device_name
from shared.accounts.tokens import Claims, refresh_hash
from shared.database.connection import Connection
from shared.database.transactions import autocommit, read, transaction
from shared.errors import InvalidRefreshToken, NotFound, RefreshTokenReused
from shared.limits import rate_limits
from shared.repos import sessions, users
from shared.times import now_ms
from shared.web.endpoint import Request, Response, endpoint, serve
from shared.web.lists import list_json

_MOST_LISTED = 100


@endpoint("POST", "/api/auth/refresh", body=RenewSession)
def renew_session(request: Request) -> Response:
    body = request.parse(RenewSession)
    renewal = read(sessions.find_renewal, refresh_hash(body.refresh_token))
    if renewal is None:
        rate_limits.take(rate_limits.of_address("anonymous", request))
        raise InvalidRefreshToken
    rate_limits.take(rate_limits.of_session("refresh", renewal.token.session_id))
    session = autocommit(rotation.rotate, renewal, body.refresh_token, device_name(request))
    if session is None:
        raise RefreshTokenReused
    return Response.ok(session)


@endpoint("POST", "/api/auth/logout", body=Logout)
def log_out(request: Request) -> Response:
    body = request.parse(Logout) if request.body else Logout()
    if body.refresh_token:  # an access token beside it is ignored: it may have expired
        ended = transaction(_end_by_refresh_token, body.refresh_token, everywhere=body.everywhere)
    else:
        claims = auth.signed_in(request)
        ended = transaction(_end_by_claims, claims, everywhere=body.everywhere)
    return Response.ok({"sessions_ended": ended})


@endpoint("GET", "/api/auth/sessions")
def list_sessions(request: Request) -> Response:
    return Response.ok(read(_list, auth.signed_in(request)))


@endpoint("DELETE", "/api/auth/sessions/{session_id}")
def end_session(request: Request) -> Response:
    transaction(_end, auth.signed_in(request), request.path["session_id"])
    return Response.ok({"id": request.path["session_id"]})


def _end_by_claims(db: Connection, claims: Claims, *, everywhere: bool) -> int:
    """Ending one session twice is no error; ending all of them needs a session that is valid."""
    if everywhere:
        auth.active_user(db, claims)
        return sessions.end_all(db, claims.user_id, at_ms=now_ms())
    return int(sessions.end(db, claims.session_id, claims.user_id, at_ms=now_ms()))


def _end_by_refresh_token(db: Connection, refresh_token: str, *, everywhere: bool) -> int:
    now = now_ms()
    token = sessions.find_refresh_token(db, refresh_hash(refresh_token))
    if token is None:
        raise InvalidRefreshToken
    if not everywhere:
        return int(sessions.end(db, token.session_id, token.user_id, at_ms=now))
    user = users.find_active(db, token.user_id, session_id=token.session_id)
    if user is None or not is_valid(token, now):
        raise InvalidRefreshToken
    return sessions.end_all(db, user.id, at_ms=now)


def _list(db: Connection, claims: Claims) -> dict[str, object]:
    user, current = auth.active_user(db, claims), claims.session_id
    live = sessions.list_live(db, user.id, current=current, at_ms=now_ms(), count=_MOST_LISTED)
    return list_json([listed_session_json(session, current) for session in live])


def _end(db: Connection, claims: Claims, session_id: str) -> None:
    user = auth.active_user(db, claims)
    if not sessions.end(db, session_id, user.id, at_ms=now_ms()):
        raise NotFound


handler = serve(renew_session, log_out, list_sessions, end_session)
