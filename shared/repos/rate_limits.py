"""Counters of rate limits, in fixed windows that the first request opens.

Run these without a transaction: each statement decides and commits by itself. Statements
lock the rows of several counters in the order of the primary key.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from shared.database.connection import Connection, MissingValue
from shared.repos import rows

_COLUMNS = ("name", "subject", "started_ms", "ends_ms", "used")


@dataclass(frozen=True)
class Window:
    ends_ms: int
    used: int


@dataclass(frozen=True)
class Counter:
    """A counter with its limit, which is the same for all counters of one name."""

    name: str
    subject: str
    most: int
    window_ms: int


def take_all(db: Connection, counters: Sequence[Counter], *, at_ms: int) -> bool:
    """Count one more request in all counters, or in none where one is at its limit; say whether.

    One statement, whether or not the rows exist. `used` becomes NULL at a limit, which the
    column refuses, and a statement that fails changes no row. `ends_ms` is set last: MySQL,
    unlike SQLite, goes on with the new value.
    """
    ordered = sorted(counters, key=_key)
    opened = [_opened(counter, at_ms) for counter in ordered]
    placeholders, values = rows.values(_COLUMNS, opened)
    limits, limit_values = _limits(ordered)
    try:
        db.execute(
            f"""
            INSERT INTO rate_limits (name, subject, started_ms, ends_ms, used)
            VALUES {placeholders}
            ON CONFLICT (name, subject) DO UPDATE SET
                used = CASE
                    WHEN rate_limits.ends_ms <= :at_ms THEN 1
                    WHEN rate_limits.used < CASE rate_limits.name {limits} END
                        THEN rate_limits.used + 1
                END,
                started_ms = CASE
                    WHEN rate_limits.ends_ms <= :at_ms THEN :at_ms ELSE rate_limits.started_ms
                END,
                ends_ms = CASE
                    WHEN rate_limits.ends_ms <= :at_ms THEN excluded.ends_ms
                    ELSE rate_limits.ends_ms
                END
            """,  # noqa: S608  # names of parameters, made here
            at_ms=at_ms,
            **values,
            **limit_values,
        )
    except MissingValue:
        return False
    return True


def _key(counter: Counter) -> tuple[str, str]:
    return counter.name, counter.subject


def _opened(counter: Counter, at_ms: int) -> dict[str, object]:
    """The row of a window that begins now with one request."""
    ends_ms = at_ms + counter.window_ms
    values = (counter.name, counter.subject, at_ms, ends_ms, 1)
    return dict(zip(_COLUMNS, values, strict=True))


def _limits(counters: Sequence[Counter]) -> tuple[str, dict[str, object]]:
    """WHEN clauses from names of counters to their limits, and the parameters that they name."""
    most = {counter.name: counter.most for counter in counters}
    names, values = rows.numbered("limit", list(most)), rows.numbered("most", list(most.values()))
    clauses = [f"WHEN :{name} THEN :{value}" for name, value in zip(names, values, strict=True)]
    return " ".join(clauses), {**names, **values}


def find(db: Connection, name: str, subject: str) -> Window | None:
    return db.find(
        Window,
        """
        SELECT ends_ms, used
        FROM rate_limits
        WHERE name = :name AND subject = :subject
        """,
        name=name,
        subject=subject,
    )


def give_back(db: Connection, counters: Sequence[Counter], *, taken_ms: int) -> None:
    """Subtract a counted request from each, except where a new window has begun since."""
    names = rows.numbered("name", [counter.name for counter in counters])
    subjects = rows.numbered("subject", [counter.subject for counter in counters])
    keys = [f"(name = :{n} AND subject = :{s})" for n, s in zip(names, subjects, strict=True)]
    db.execute(
        f"""
        UPDATE rate_limits
        SET used = used - 1
        WHERE ({" OR ".join(keys)}) AND used > 0 AND started_ms <= :taken_ms
        """,  # noqa: S608  # names of parameters, made here
        taken_ms=taken_ms,
        **names,
        **subjects,
    )


def forget_ended(db: Connection, at_ms: int, *, count: int) -> int:
    """Delete about `count` of the windows that have ended, the oldest first; return how many."""
    oldest = db.find_all(
        lambda ends_ms: int(ends_ms),
        """
        SELECT ends_ms
        FROM rate_limits
        WHERE ends_ms <= :at_ms
        ORDER BY ends_ms
        LIMIT :count
        """,
        at_ms=at_ms,
        count=count,
    )
    if not oldest:
        return 0
    return db.execute("DELETE FROM rate_limits WHERE ends_ms <= :last_ms", last_ms=oldest[-1])
