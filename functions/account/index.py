"""/api/auth/me, /api/auth/password, /api/account: one's own account, from profile to deletion."""

from functions.account import erasure, own_data
from functions.account.logic import Change, Copy, Farewell, PasswordChange, confirm
from functions.account.own_data import Wanted
from shared.accounts import auth
from shared.accounts.passwords import hash_password
from shared.accounts.sessions import profile
from shared.accounts.tokens import Claims
from shared.database.connection import Connection
from shared.database.transactions import read, transaction
from shared.errors import WrongPassword
from shared.ids import new_id
from shared.limits import rate_limits
from shared.repos import sessions, users
from shared.repos.sessions import Session
from shared.repos.users import User
from shared.times import now_ms
from shared.web.endpoint import Request, Response, endpoint, serve


@endpoint("GET", "/api/auth/me")
def me(request: Request) -> Response:
    return Response.ok(_told(read(auth.active_user, auth.signed_in(request))))


@endpoint("PATCH", "/api/auth/me", limit=rate_limits.by_address("register"))
def change(request: Request) -> Response:
    """As often as one may register: this too tells which names are taken."""
    claims, wanted = auth.signed_in(request), request.parse(Change)
    confirmed = _confirmed(claims, wanted.current_password) if wanted.email else None
    return Response.ok(_told(transaction(_change, claims, wanted, confirmed)))


@endpoint("PUT", "/api/auth/password")
def change_password(request: Request) -> Response:
    claims, wanted = auth.signed_in(request), request.parse(PasswordChange)
    user = _confirmed(claims, wanted.current_password)
    ended = transaction(_change_password, claims, user, hash_password(wanted.new_password))
    return Response.ok({"sessions_ended": ended})


@endpoint("GET", "/api/account/export")
def export(request: Request) -> Response:
    claims = auth.signed_in(request)
    user, wanted = read(auth.active_user, claims), request.parse_query(Copy)
    copy = Wanted(new_id(), user.id, wanted.format)
    taken = b"" if request.method == "HEAD" else transaction(own_data.take, copy)
    return own_data.answer(taken, copy)


@endpoint("DELETE", "/api/account")
def delete(request: Request) -> Response:
    claims = auth.signed_in(request)
    given = request.parse(Farewell) if request.body else Farewell()
    user = _confirmed(claims, given.password)
    transaction(erasure.erase, user)
    return Response.ok({"id": user.id})


def _confirmed(claims: Claims, password: str | None) -> User:
    """Guessing is limited as it is at the door, and so is being right: it costs as much.

    Raises: InvalidToken, WrongPassword, RecentSignInRequired, TooManyRequests.
    """
    user, session = read(_asking, claims)
    rate_limits.take(rate_limits.of_user("login", user.id))
    confirm(user, session, password, now_ms())
    return user


def _asking(db: Connection, claims: Claims) -> tuple[User, Session]:
    return auth.active_user(db, claims), sessions.get(db, claims.session_id)


def _told(user: User) -> dict[str, object]:
    return {**profile(user), "has_password": user.password_hash is not None}


def _change(db: Connection, claims: Claims, wanted: Change, confirmed: User | None) -> User:
    known = confirmed.password_hash if confirmed else None
    names = {"email": wanted.email, "username": wanted.username}
    is_done = users.set_names(db, claims.user_id, **names, known_hash=known)
    user = auth.active_user(db, claims)
    if not is_done:
        raise WrongPassword  # it is another one by now
    return user


def _change_password(db: Connection, claims: Claims, user: User, new: str) -> int:
    """Whoever knew the old password, or found it out, has to know the new one."""
    is_done = users.replace_hash(db, user.id, old=user.password_hash, new=new)
    auth.active_user(db, claims)
    if not is_done:
        raise WrongPassword  # it is another one by now
    return sessions.end_all(db, user.id, at_ms=now_ms(), but=claims.session_id)


handler = serve(me, change, change_password, export, delete)
