"""The last run of each timer function: its time and its result."""

from contextlib import suppress
from dataclasses import dataclass

from shared.database.connection import Connection, DuplicateKey


@dataclass(frozen=True)
class TimerRun:
    """`outcome` is ok or the name of a failure; `summary` is JSON."""

    name: str
    at_ms: int
    outcome: str
    summary: str


def record(db: Connection, run: TimerRun) -> None:
    """Store a run, replacing the one before."""
    replaced = db.execute(
        """
        UPDATE timers
        SET at_ms = :at_ms, outcome = :outcome, summary = :summary
        WHERE name = :name
        """,
        **vars(run),
    )
    if not replaced:
        with suppress(DuplicateKey):  # a concurrent first run inserted it
            db.execute(
                """
                INSERT INTO timers (name, at_ms, outcome, summary)
                VALUES (:name, :at_ms, :outcome, :summary)
                """,
                **vars(run),
            )


def find(db: Connection, name: str) -> TimerRun | None:
    return db.find(
        TimerRun, "SELECT name, at_ms, outcome, summary FROM timers WHERE name = :name", name=name
    )
