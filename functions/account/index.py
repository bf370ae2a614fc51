"""/api/auth/me, /api/auth/password, /api/account: profile, password, data copy, deletion."""

from functions.account import erasure, own_data
from functions.account.logic import (
    ChangePassword,
    ChangeProfile,
    DeleteAccount,
    OwnDataQuery,
    confirm,
)
from functions.account.own_data import CopyRequest
from shared.accounts import auth
from shared.accounts.passwords import hash_password
from shared.accounts.session_json import user_json
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
def get_profile(request: Request) -> Response:
    return Response.ok(_profile_json(read(auth.active_user, auth.signed_in(request))))


@endpoint("PATCH", "/api/auth/me", body=ChangeProfile, limit=rate_limits.by_address("register"))
def change_profile(request: Request) -> Response:
    """Limited like registration, because it also reveals which names are taken."""
    claims, body = auth.signed_in(request), request.parse(ChangeProfile)
    confirmed = _confirmed(claims, body.current_password) if body.email else None
    return Response.ok(_profile_json(transaction(_change, claims, body, confirmed)))


@endpoint("PUT", "/api/auth/password", body=ChangePassword)
def change_password(request: Request) -> Response:
    claims, body = auth.signed_in(request), request.parse(ChangePassword)
    user = _confirmed(claims, body.current_password)
    ended = transaction(_change_password, claims, user, hash_password(body.new_password))
    return Response.ok({"sessions_ended": ended})


@endpoint("GET", "/api/account/export", query=OwnDataQuery)
def export_own_data(request: Request) -> Response:
    claims = auth.signed_in(request)
    user, query = read(auth.active_user, claims), request.parse_query(OwnDataQuery)
    copy = CopyRequest(new_id(), user.id, query.format)
    content = b"" if request.method == "HEAD" else transaction(own_data.write, copy)
    return own_data.response(content, copy)


@endpoint("DELETE", "/api/account", body=DeleteAccount)
def delete_account(request: Request) -> Response:
    claims = auth.signed_in(request)
    body = request.parse(DeleteAccount) if request.body else DeleteAccount()
    user = _confirmed(claims, body.password)
    transaction(erasure.erase, user)
    return Response.ok({"id": user.id})


def _confirmed(claims: Claims, password: str | None) -> User:
    """Return the user if the password confirms them. Every call counts against the limit `login`.

    Raises: InvalidToken, WrongPassword, RecentSignInRequired, TooManyRequests.
    """
    user, session = read(_user_and_session, claims)
    rate_limits.take(rate_limits.of_user("login", user.id))
    confirm(user, session, password, now_ms())
    return user


def _user_and_session(db: Connection, claims: Claims) -> tuple[User, Session]:
    return auth.active_user(db, claims), sessions.get(db, claims.session_id)


def _profile_json(user: User) -> dict[str, object]:
    return {**user_json(user), "has_password": user.password_hash is not None}


def _change(db: Connection, claims: Claims, body: ChangeProfile, confirmed: User | None) -> User:
    known = confirmed.password_hash if confirmed else None
    names = {"email": body.email, "username": body.username}
    is_done = users.set_names(db, claims.user_id, **names, known_hash=known)
    user = auth.active_user(db, claims)
    if not is_done:
        raise WrongPassword  # it has changed since it was confirmed
    return user


def _change_password(db: Connection, claims: Claims, user: User, new: str) -> int:
    """Store the new hash and end all other sessions; return how many that were."""
    is_done = users.replace_hash(db, user.id, old=user.password_hash, new=new)
    auth.active_user(db, claims)
    if not is_done:
        raise WrongPassword  # it has changed since it was confirmed
    return sessions.end_all(db, user.id, at_ms=now_ms(), but=claims.session_id)


handler = serve(get_profile, change_profile, change_password, export_own_data, delete_account)
