"""Requests of administrators, and the audit log they leave."""

import json
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any, TypeVar

from functions.admin.index import handler as admin
from shared.database import transactions
from shared.database.transactions import read
from tests.events import Reply, invoke
from tests.patience import HANG_SECONDS

T = TypeVar("T")


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
    """The entries of the audit log, oldest first: all, or those of one action."""
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
    """Run all calls in threads, started at the same time."""
    gate = Barrier(len(works))

    def begun(work: Callable[[], T]) -> T:
        gate.wait(timeout=HANG_SECONDS)
        try:
            return work()
        finally:
            transactions.disconnect()

    with ThreadPoolExecutor(len(works)) as pool:
        return list(pool.map(begun, works))
