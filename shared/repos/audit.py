"""The audit log: what administrators did. Entries are only ever added."""

from dataclasses import dataclass

from shared.db import Connection


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
