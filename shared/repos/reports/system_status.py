"""The status of the service, from its tables."""

from dataclasses import dataclass
from typing import Any

from shared.database.connection import Connection


@dataclass(frozen=True)
class Reservations:
    """Turns that have not ended. `abandoned` ones have an expired lease."""

    open: int
    reserved_fen: int
    abandoned: int
    oldest_at_ms: int | None


@dataclass(frozen=True)
class UpstreamHealth:
    """Recent calls of an upstream, without those that the client left."""

    name: str
    attempts: int
    failures: int
    last_ok_at_ms: int | None
    last_failure_at_ms: int | None


def ping(db: Connection) -> None:
    db.execute("SELECT 1")


def schema_version(db: Connection) -> int:
    """The last migration that was applied."""
    latest = "SELECT COALESCE(MAX(version), 0) AS version FROM schema_migrations"
    return db.find(lambda version: int(version), latest) or 0


def reservations(db: Connection, now_ms: int) -> Reservations:
    found = db.find(
        _reservations,
        """
        SELECT COUNT(*) AS open,
            COALESCE(SUM(reserved_fen), 0) AS reserved_fen,
            COALESCE(SUM(CASE WHEN lease_until_ms < :now_ms THEN 1 ELSE 0 END), 0) AS abandoned,
            MIN(created_at_ms) AS oldest_at_ms
        FROM turns
        WHERE state = 'open'
        """,
        now_ms=now_ms,
    )
    return found or Reservations(0, 0, 0, None)


def _reservations(reserved_fen: Any, abandoned: Any, **row: Any) -> Reservations:
    """MySQL's sums are decimals."""
    return Reservations(reserved_fen=int(reserved_fen), abandoned=int(abandoned), **row)


@dataclass(frozen=True)
class UpstreamTrouble:
    """The last refusal that only the operator can mend, and the last success."""

    name: str
    code: int
    at_ms: int
    last_ok_at_ms: int | None


def troubles(db: Connection, since_ms: int) -> list[UpstreamTrouble]:
    """The last trouble of each upstream that had one, with its code; read from recorded calls."""
    last = db.find_all(
        lambda name, outcome, at_ms: (str(name), str(outcome), int(at_ms)),
        """
        SELECT upstream AS name, outcome, MAX(at_ms) AS at_ms
        FROM upstream_attempts
        WHERE at_ms >= :since_ms AND (outcome = 'ok' OR outcome LIKE 'upstream_misconfigured:%')
        GROUP BY upstream, outcome
        ORDER BY upstream, at_ms
        """,
        since_ms=since_ms,
    )
    good = {name: at_ms for name, outcome, at_ms in last if outcome == "ok"}
    latest = {name: (outcome, at_ms) for name, outcome, at_ms in last if outcome != "ok"}
    return [
        UpstreamTrouble(name, int(outcome.partition(":")[2]), at_ms, good.get(name))
        for name, (outcome, at_ms) in latest.items()
    ]


# An upstream that rightly refuses a request has not failed: see Breaker.
_FAILED = """
    outcome NOT IN ('ok', 'context_length_exceeded', 'content_filtered', 'upstream_rejected')
"""


def upstreams(db: Connection, since_ms: int) -> list[UpstreamHealth]:
    return db.find_all(
        lambda failures, **row: UpstreamHealth(failures=int(failures), **row),
        f"""
        SELECT upstream AS name,
            COUNT(*) AS attempts,
            SUM(CASE WHEN {_FAILED} THEN 1 ELSE 0 END) AS failures,
            MAX(CASE WHEN outcome = 'ok' THEN at_ms END) AS last_ok_at_ms,
            MAX(CASE WHEN {_FAILED} THEN at_ms END) AS last_failure_at_ms
        FROM upstream_attempts
        WHERE at_ms >= :since_ms AND outcome <> 'left'
        GROUP BY upstream
        ORDER BY upstream
        """,  # noqa: S608  # a text of this module
        since_ms=since_ms,
    )
