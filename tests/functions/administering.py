"""An administrator, and what there is to administer."""

import itertools
from collections.abc import Mapping

from functions.admin.index import handler as admin
from shared.db import transaction
from shared.ids import new_id
from shared.repos import users
from shared.repos.users import User
from tests.events import Reply, invoke
from tests.functions.purses import token_of

NOON_MS = 1_795_348_800_000  # 2026-11-22T12:00:00Z

_numbers = itertools.count(1)


def account(role: str = "user", **changes: object) -> User:
    """Somebody who is there now; each a millisecond younger than the one before."""
    number = next(_numbers)
    fields: dict[str, object] = {
        "id": new_id(),
        "email": f"person{number}@example.com",
        "username": None,
        "password_hash": "sha384-canary-of-a-password-hash",
        "role": role,
        "created_at_ms": NOON_MS + number,
        "disabled_at_ms": None,
    }
    user = User(**{**fields, **changes})  # type: ignore[arg-type]  # fields of a user
    transaction(users.add, user)
    return user


def root() -> str:
    """The token of a new administrator."""
    return token_of(account("admin").id, role="admin")


def ask(
    token: str,
    method: str,
    path: str,
    body: object = None,
    *,
    headers: Mapping[str, str] | None = None,
    query: Mapping[str, str] | None = None,
) -> Reply:
    return invoke(
        admin,
        method,
        f"/api/admin/{path}",
        json_body=body,
        token=token,
        headers=headers,
        query=query,
    )
