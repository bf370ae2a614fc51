"""/api/admin/users: find accounts and look at them, open them, and change their standing."""

from functools import partial
from typing import Literal

from pydantic import BaseModel, model_validator

from functions.admin import role_change
from functions.admin.role_change import Change
from shared.accounts import auth
from shared.accounts.codes import new_code
from shared.accounts.tokens import Claims
from shared.database.connection import Connection
from shared.database.transactions import read, transaction
from shared.limits.idempotency import ClientKey, client_key, once
from shared.repos import audit, sessions, users
from shared.repos.reports import user_search
from shared.repos.reports.user_search import Filter, Listed
from shared.repos.users import User
from shared.times import iso_utc, iso_utc_if, now_ms, shanghai_day
from shared.web.endpoint import Request, Response, endpoint
from shared.web.fields import Email, NewPassword, Search, Username
from shared.web.pagination import ListQuery, page

_PASSWORD_GROUPS = 5  # of four characters: 98 bits


class Wanted(ListQuery):
    q: Search | None = None
    role: Literal["user", "admin"] | None = None
    disabled: bool | None = None


class NewPasswordOrNone(BaseModel):
    """Without a password one is made, and told in the answer."""

    password: NewPassword | None = None


class NewAccount(NewPasswordOrNone):
    email: Email | None = None
    username: Username | None = None
    role: Literal["user", "admin"] = "user"

    @model_validator(mode="after")
    def _can_sign_in(self) -> "NewAccount":
        if not (self.email or self.username):
            raise ValueError("email or username is required")
        return self


@endpoint("GET", "/api/admin/users")
def listing(request: Request) -> Response:
    auth.admitted_administrator(request)
    return Response.ok(read(_list, request.parse_query(Wanted)))


@endpoint("GET", "/api/admin/users/{user_id}")
def one(request: Request) -> Response:
    auth.admitted_administrator(request)
    return Response.ok(read(_told, request.path["user_id"]))


@endpoint("POST", "/api/admin/users")
def create(request: Request) -> Response:
    claims, key = auth.admitted_administrator(request), client_key(request)
    form = request.parse(NewAccount)
    made = None if form.password else new_code(groups=_PASSWORD_GROUPS)
    user = _account(form, form.password or made or "")
    return Response.ok(transaction(_create, claims, key, user, made), status=201)


@endpoint("PATCH", "/api/admin/users/{user_id}")
def change(request: Request) -> Response:
    claims = auth.admitted_administrator(request)
    return Response.ok(transaction(_change, claims, request.path["user_id"], request.parse(Change)))


@endpoint("POST", "/api/admin/users/{user_id}/password")
def reset_password(request: Request) -> Response:
    claims, form = auth.admitted_administrator(request), request.parse(NewPasswordOrNone)
    user_id = read(users.get, request.path["user_id"]).id
    made = None if form.password else new_code(groups=_PASSWORD_GROUPS)
    transaction(_reset_password, claims, user_id, _hash(form.password or made or ""))
    return Response.ok({"id": user_id, "password": made})


def _list(db: Connection, wanted: Wanted) -> dict[str, object]:
    sought = Filter(wanted.q, wanted.role, wanted.disabled)
    rows = user_search.search(db, sought, _today(), after=wanted.after, count=wanted.fetch_count)
    return page("users", rows, wanted, tell)


def _told(db: Connection, user_id: str) -> dict[str, object]:
    return tell(user_search.get(db, user_id, _today()))


def _account(form: NewAccount, password: str) -> User:
    from shared.accounts.opening import new_account  # bcrypt is for the few who need it

    return new_account(form.email, form.username, password, form.role)


def _hash(password: str) -> str:
    from shared.accounts.passwords import hash_password  # as above

    return hash_password(password)


def _create(
    db: Connection, claims: Claims, key: ClientKey | None, user: User, made: str | None
) -> dict[str, object]:
    admin = auth.administrator(db, claims)
    return once(db, admin.id, key, partial(_open, db, admin, user), secrets={"password": made})


def _open(db: Connection, admin: User, user: User) -> dict[str, object]:
    users.add(db, user)
    audit.record(db, admin.id, "user.create", {"user_id": user.id, "role": user.role})
    return _told(db, user.id)


def _change(db: Connection, claims: Claims, user_id: str, wanted: Change) -> dict[str, object]:
    """The administrators are locked before anything is read, so that all of it holds till the end.

    Two who demote each other wait in line here, and the second is none any more.
    """
    administrators = users.lock_administrators(db)
    admin, user, now = auth.administrator(db, claims), users.get(db, user_id), now_ms()
    changed = role_change.changed(user, wanted, administrators, now)
    users.set_role_and_status(db, changed)
    if user.is_active and not changed.is_active:
        sessions.end_all(db, user.id, at_ms=now)
    for action in role_change.actions(user, changed):
        audit.record(db, admin.id, action, {"user_id": user.id, "role": changed.role})
    return _told(db, user.id)


def _reset_password(db: Connection, claims: Claims, user_id: str, password_hash: str) -> None:
    admin = auth.administrator(db, claims)
    users.set_hash(db, user_id, password_hash)
    sessions.end_all(db, user_id, at_ms=now_ms())
    audit.record(db, admin.id, "user.password", {"user_id": user_id})


def _today() -> str:
    return shanghai_day(now_ms())


def tell(user: Listed) -> dict[str, object]:
    """`balance_fen` is what may still be spent, as the account itself is told."""
    return {
        "id": user.id,
        "email": user.email,
        "username": user.username,
        "role": user.role,
        "created_at": iso_utc(user.created_at_ms),
        "disabled_at": iso_utc_if(user.disabled_at_ms),
        "deleted_at": iso_utc_if(user.erased_at_ms),
        "balance_fen": user.balance_fen - user.reserved_fen,
        "reserved_fen": user.reserved_fen,
        "used_today": user.used_today,
    }


endpoints = (listing, one, create, change, reset_password)
