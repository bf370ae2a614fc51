"""An administrator, and what there is to administer."""

import itertools
import json
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any, TypeVar

from functions.admin.index import handler as admin
from shared.database import transactions
from shared.database.transactions import read, transaction
from shared.ids import new_id
from shared.repos import users
from shared.repos.users import User
from tests.events import Reply, invoke
from tests.functions.wallets import token_of
from tests.patience import HANG_SECONDS

T = TypeVar("T")

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


def audited(action: str | None = None) -> list[tuple[str, str, Any]]:
    """Who did what, oldest first: all of it, or one kind."""
    return read(
        lambda db: db.find_all(
            lambda actor_id, action, detail: (actor_id, action, json.loads(detail)),
            """
            SELECT actor_id, action, detail
            FROM audit_log
            WHERE :action IS NULL OR action = :action
            ORDER BY at_ms, id
            """,
            action=action,
        )
    )


def at_once(*works: Callable[[], T]) -> list[T]:
    """Each in a thread of its own, all begun at the same moment."""
    gate = Barrier(len(works))

    def begun(work: Callable[[], T]) -> T:
        gate.wait(timeout=HANG_SECONDS)
        try:
            return work()
        finally:
            transactions.disconnect()

    with ThreadPoolExecutor(len(works)) as pool:
        return list(pool.map(begun, works))
