"""/api/admin/users: find, read, create and change accounts, and reset their passwords."""

from collections.abc import Sequence
from typing import Literal

from pydantic import BaseModel, model_validator

from functions.admin import role_change
from functions.admin.creation import create_once
from functions.admin.lists import list_page
from functions.admin.role_change import ChangeAccount
from shared.accounts import address_quota, auth
from shared.accounts.codes import new_code
from shared.accounts.tokens import Claims
from shared.database.connection import Connection
from shared.database.transactions import read, transaction
from shared.limits.idempotency import client_key
from shared.problems import Problem
from shared.repos import audit, sessions, users
from shared.repos.reports import user_search
from shared.repos.reports.user_search import ListedUser, UserFilter
from shared.repos.users import User
from shared.times import iso_utc, iso_utc_if, now_ms, shanghai_day
from shared.web.endpoint import Request, Response, endpoint
from shared.web.fields import Email, NewPassword, Search, Username
from shared.web.pagination import ListQuery

_PASSWORD_GROUPS = 5  # of four characters: 98 bits


class UsersQuery(ListQuery):
    q: Search | None = None
    role: Literal["user", "admin"] | None = None
    disabled: bool | None = None


class ResetPassword(BaseModel):
    """Without a password one is generated and returned in the answer."""

    password: NewPassword | None = None


class CreateAccount(ResetPassword):
    email: Email | None = None
    username: Username | None = None
    role: Literal["user", "admin"] = "user"

    @model_validator(mode="after")
    def _can_sign_in(self) -> "CreateAccount":
        if not (self.email or self.username):
            raise ValueError(Problem("email or username is required", "请填写邮箱或用户名"))
        return self


@endpoint("GET", "/api/admin/users", query=UsersQuery)
def list_users(request: Request) -> Response:
    return list_page(request, UsersQuery, _find, user_json)


@endpoint("GET", "/api/admin/users/{user_id}")
def get_user(request: Request) -> Response:
    auth.admitted_administrator(request)
    return Response.ok(read(_get, request.path["user_id"]))


@endpoint("POST", "/api/admin/users", body=CreateAccount)
def create_user(request: Request) -> Response:
    claims, key = auth.admitted_administrator(request), client_key(request)
    body = request.parse(CreateAccount)
    generated = _generated_password(body)
    user = _account(body, body.password or generated or "")
    secrets = {"password": generated}
    return Response.ok(transaction(create_once, claims, key, _add, user, secrets), 201)


@endpoint("PATCH", "/api/admin/users/{user_id}", body=ChangeAccount)
def change_user(request: Request) -> Response:
    claims = auth.admitted_administrator(request)
    body = request.parse(ChangeAccount)
    return Response.ok(transaction(_change, claims, request.path["user_id"], body))


@endpoint("POST", "/api/admin/users/{user_id}/password", body=ResetPassword)
def reset_password(request: Request) -> Response:
    claims, body = auth.admitted_administrator(request), request.parse(ResetPassword)
    user_id = read(users.get, request.path["user_id"]).id
    generated = _generated_password(body)
    transaction(_reset_password, claims, user_id, _hash(body.password or generated or ""))
    return Response.ok({"id": user_id, "password": generated})


def _find(db: Connection, query: UsersQuery) -> Sequence[ListedUser]:
    filters = UserFilter(query.q, query.role, query.disabled)
    return user_search.search(db, filters, _today(), after=query.after, count=query.fetch_count)


def _get(db: Connection, user_id: str) -> dict[str, object]:
    return user_json(user_search.get(db, user_id, _today()))


def _generated_password(body: ResetPassword) -> str | None:
    return None if body.password else new_code(groups=_PASSWORD_GROUPS)


def _account(body: CreateAccount, password: str) -> User:
    from shared.accounts.opening import new_account  # bcrypt, which most requests do not need

    return new_account(body.email, body.username, password, body.role)


def _hash(password: str) -> str:
    from shared.accounts.passwords import hash_password  # as above

    return hash_password(password)


def _add(db: Connection, admin: User, user: User) -> dict[str, object]:
    address_quota.continue_used(db, user)
    users.add(db, user)
    audit.record(db, admin.id, "user.create", {"user_id": user.id, "role": user.role})
    return _get(db, user.id)


def _change(db: Connection, claims: Claims, user_id: str, body: ChangeAccount) -> dict[str, object]:
    """The administrators are locked before anything is read, so that all of it stays true.

    Of two administrators who demote each other, the second waits here, and then
    is no administrator any more.
    """
    administrators = users.lock_administrators(db)
    admin, user, now = auth.administrator(db, claims), users.get(db, user_id), now_ms()
    changed = role_change.apply(user, body, administrators, now)
    users.set_role(db, changed)
    if user.is_active and not changed.is_active:
        sessions.end_all(db, user.id, at_ms=now)
    for action in role_change.audit_actions(user, changed):
        audit.record(db, admin.id, action, {"user_id": user.id, "role": changed.role})
    return _get(db, user.id)


def _reset_password(db: Connection, claims: Claims, user_id: str, password_hash: str) -> None:
    admin = auth.administrator(db, claims)
    users.set_hash(db, user_id, password_hash)
    sessions.end_all(db, user_id, at_ms=now_ms())
    audit.record(db, admin.id, "user.password", {"user_id": user_id})


def _today() -> str:
    return shanghai_day(now_ms())


def user_json(user: ListedUser) -> dict[str, object]:
    """`balance_fen` is what may still be spent, as in /api/credits."""
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


endpoints = (list_users, get_user, create_user, change_user, reset_password)
