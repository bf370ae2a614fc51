"""Counters of rate limits, in fixed windows that the first request opens.

Run these without a transaction: each statement decides and commits by itself.
"""

from contextlib import suppress
from dataclasses import dataclass

from shared.database.connection import Connection, DuplicateKey

_ATTEMPTS = 3


@dataclass(frozen=True)
class Window:
    ends_ms: int
    used: int


def take(
    db: Connection, name: str, subject: str, *, most: int, window_ms: int, at_ms: int
) -> int | None:
    """Count one more request; at the limit, return when the window ends instead.

    Takes one statement where a row exists and is below its limit.
    """
    for _ in range(_ATTEMPTS):
        if _count(db, name, subject, most=most, window_ms=window_ms, at_ms=at_ms):
            return None
        window = find(db, name, subject)
        if window is None:
            with suppress(DuplicateKey):  # a concurrent request inserted it first
                _open(db, name, subject, window_ms=window_ms, at_ms=at_ms)
                return None
        elif window.used >= most and window.ends_ms > at_ms:
            return window.ends_ms
    return at_ms  # concurrent requests used up each new window


def _count(
    db: Connection, name: str, subject: str, *, most: int, window_ms: int, at_ms: int
) -> bool:
    """`ends_ms` is set last: MySQL, unlike SQLite, goes on with the new value."""
    return bool(
        db.execute(
            """
            UPDATE rate_limits
            SET used = CASE WHEN ends_ms <= :at_ms THEN 1 ELSE used + 1 END,
                started_ms = CASE WHEN ends_ms <= :at_ms THEN :at_ms ELSE started_ms END,
                ends_ms = CASE WHEN ends_ms <= :at_ms THEN :at_ms + :window_ms ELSE ends_ms END
            WHERE name = :name
                AND subject = :subject
                AND (ends_ms <= :at_ms OR used < :most)
            """,
            name=name,
            subject=subject,
            most=most,
            window_ms=window_ms,
            at_ms=at_ms,
        )
    )


def _open(db: Connection, name: str, subject: str, *, window_ms: int, at_ms: int) -> None:
    db.execute(
        """
        INSERT INTO rate_limits (name, subject, started_ms, ends_ms, used)
        VALUES (:name, :subject, :at_ms, :at_ms + :window_ms, 1)
        """,
        name=name,
        subject=subject,
        window_ms=window_ms,
        at_ms=at_ms,
    )


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


def give_back(db: Connection, name: str, subject: str, *, taken_ms: int) -> None:
    """Subtract a counted request, unless a new window has begun since."""
    db.execute(
        """
        UPDATE rate_limits
        SET used = used - 1
        WHERE name = :name AND subject = :subject AND used > 0 AND started_ms <= :taken_ms
        """,
        name=name,
        subject=subject,
        taken_ms=taken_ms,
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
