"""The audit log: the actions of administrators. Entries are only ever added."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from shared.cursor import END, Cursor
from shared.database.connection import Connection
from shared.ids import new_id
from shared.times import now_ms


@dataclass(frozen=True)
class AuditEntry:
    """`detail` is a JSON object whose fields depend on the action."""

    id: str
    at_ms: int
    actor_id: str
    action: str
    detail: str

    @property
    def cursor(self) -> Cursor:
        return Cursor(self.at_ms, self.id)


@dataclass(frozen=True)
class AuditFilter:
    """None means any value; the period excludes `to_ms`."""

    actor_id: str | None = None
    action: str | None = None
    from_ms: int | None = None
    to_ms: int | None = None


def add(db: Connection, entry: AuditEntry) -> None:
    db.execute(
        """
        INSERT INTO audit_log (id, at_ms, actor_id, action, detail)
        VALUES (:id, :at_ms, :actor_id, :action, :detail)
        """,
        **vars(entry),
    )


def record(db: Connection, actor_id: str, action: str, detail: Mapping[str, object]) -> None:
    """Record an action in the transaction that performs it. `detail` must hold no secrets."""
    text = json.dumps(detail, ensure_ascii=False)
    add(db, AuditEntry(new_id(), now_ms(), actor_id, action, text))


def list_newest(
    db: Connection, filters: AuditFilter, *, after: Cursor | None, count: int
) -> list[AuditEntry]:
    return db.find_all(
        AuditEntry,
        f"""
        SELECT id, at_ms, actor_id, action, detail
        FROM audit_log /*! FORCE INDEX ({_index(filters)}) */
        WHERE at_ms <= :at AND (at_ms < :at OR id < :id)
            AND (:actor_id IS NULL OR actor_id = :actor_id)
            AND (:action IS NULL OR action = :action)
            AND (:from_ms IS NULL OR at_ms >= :from_ms)
            AND (:to_ms IS NULL OR at_ms < :to_ms)
        ORDER BY at_ms DESC, id DESC
        LIMIT :count
        """,  # noqa: S608  # the index is one of ours
        count=count,
        **vars(filters),
        **vars(after or END),
    )


def _index(filters: AuditFilter) -> str:
    """The index with the filter and the order: left alone, MariaDB reads all rows before a page."""
    if filters.actor_id is not None:
        return "ix_audit_log_actor"
    return "ix_audit_log_at" if filters.action is None else "ix_audit_log_action"
