"""Accounts for tests: added to the database, or registered and logged in like by a client."""

import itertools
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, TypeVar

from functions.login.index import handler as login
from functions.register.index import handler as registration
from shared.accounts.tokens import Claims, issue_access
from shared.database.transactions import read, transaction
from shared.ids import new_id
from shared.money import charging
from shared.repos import daily_messages, sessions, users, wallets
from shared.repos.sessions import Session
from shared.repos.users import User
from shared.times import now_ms, shanghai_day
from tests.events import Reply, invoke

PASSWORD = "correct horse battery"
HOME_IP = "203.0.113.7"
NOON_MS = 1_795_348_800_000  # 2026-11-22T12:00:00Z

_numbers = itertools.count(1)


class HasId(Protocol):
    @property
    def id(self) -> str: ...


UserWithId = TypeVar("UserWithId", bound=HasId)


@dataclass(frozen=True)
class Person:
    """An account and an access token of its session."""

    id: str
    token: str


def register(
    name: str = "anna",
    device: str = "first",
    *,
    headers: Mapping[str, str] | None = None,
    ip: str = HOME_IP,
    **fields: object,
) -> Reply:
    """Register `name`@example.com; `fields` replace or add to what is sent."""
    return invoke(
        registration,
        "POST",
        "/api/auth/register",
        json_body={"email": f"{name}@example.com", "password": PASSWORD, **fields},
        headers={"User-Agent": device, **(headers or {})},
        ip=ip,
    )


def log_in(
    name: str = "anna",
    device: str = "second",
    *,
    headers: Mapping[str, str] | None = None,
    ip: str = HOME_IP,
    **fields: object,
) -> Reply:
    """Log in as `name`@example.com, or as the email or username in `fields`."""
    is_named = fields.keys() & {"email", "username"}
    login_name = {} if is_named else {"email": f"{name}@example.com"}
    return invoke(
        login,
        "POST",
        "/api/auth/login",
        json_body={**login_name, "password": PASSWORD, **fields},
        headers={"User-Agent": device, **(headers or {})},
        ip=ip,
    )


def new_person(name: str = "") -> Person:
    """Register an account, under a random name if none is given."""
    session = register(name or secrets.token_hex(8)).data
    return Person(session["user"]["id"], session["access_token"])


def add_user(role: str = "user", **fields: object) -> User:
    """Add an account to the database, each a millisecond younger than the one before."""
    number = next(_numbers)
    defaults: dict[str, object] = {
        "id": new_id(),
        "email": f"person{number}@example.com",
        "username": None,
        "password_hash": "sha384-canary-of-a-password-hash",
        "role": role,
        "created_at_ms": NOON_MS + number,
        "disabled_at_ms": None,
    }
    user = User(**{**defaults, **fields})  # type: ignore[arg-type]  # fields of a user
    transaction(users.add, user)
    return user


def open_session(user_id: str, session_id: str, *, device: str | None = None) -> None:
    transaction(sessions.add, Session(session_id, user_id, device, now_ms(), now_ms()))


def token_of(user_id: str, *, role: str = "user") -> str:
    """An access token of a new session; without a session if there is no such account."""
    session_id = new_id()
    if read(users.find, user_id):
        open_session(user_id, session_id)
    return issue_access(Claims(user_id, session_id, role))


def admin_token() -> str:
    """An access token of a new administrator."""
    return token_of(add_user("admin").id, role="admin")


def customer(balance_fen: int = 0, *, day: str = "") -> str:
    """The id of a new account that may chat on the day, with this balance."""
    user = add_user()
    transaction(charging.prepare, user.id, user.id, day or shanghai_day(now_ms()))
    if balance_fen:
        grant(user, balance_fen, key=f"grant:{user.id}")
    return user.id


def grant(user: HasId, fen: int, *, key: str = "") -> None:
    """Add money to the account's balance, under a random key if none is given."""
    transaction(wallets.open_wallet, user.id)
    transaction(wallets.book, user.id, "grant", fen, key=key or f"grant:{new_id()}")


def paying(user: UserWithId, fen: int) -> UserWithId:
    """The user, without free messages today and with this much money."""
    use_up(user)
    grant(user, fen)
    return user


def use_up(user: HasId, messages: int = 20) -> None:
    """Use the free messages of today."""
    day = shanghai_day(now_ms())
    transaction(charging.prepare, user.id, user.id, day)
    for _ in range(messages):
        transaction(daily_messages.take, user.id, day, limit=messages)
