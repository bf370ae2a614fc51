"""The audit log: what administrators did. Entries are only ever added."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from shared.db import Connection
from shared.ids import new_id
from shared.times import now_ms


@dataclass(frozen=True)
class Entry:
    """`detail` is a JSON object, its form given by the action."""

    id: str
    at_ms: int
    actor_id: str
    action: str
    detail: str


def add(db: Connection, entry: Entry) -> None:
    db.execute(
        """
        INSERT INTO audit_log (id, at_ms, actor_id, action, detail)
        VALUES (:id, :at_ms, :actor_id, :action, :detail)
        """,
        **vars(entry),
    )


def record(db: Connection, actor_id: str, action: str, detail: Mapping[str, object]) -> None:
    """Write down what an administrator does, in the transaction that does it. No secrets."""
    text = json.dumps(detail, ensure_ascii=False)
    add(db, Entry(new_id(), now_ms(), actor_id, action, text))
