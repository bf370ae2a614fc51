"""Daily message counts of users and guests, and of the addresses of accounts.

The count of an address is written when its account is deleted, so that an account
registered again on the same day continues it. `ADDRESS` begins its subject.
"""

from contextlib import suppress

from shared.database.connection import Connection, DuplicateKey
from shared.database.deferred import Deferred

ADDRESS = "address:"


def open_day(db: Connection, subject: str, day: str) -> None:
    """Insert the row to count in, unless it exists.

    Call it in a transaction of its own: an INSERT that finds the row keeps a shared
    lock on it until the transaction ends, so two of them that then count deadlock.
    """
    with suppress(DuplicateKey):
        db.execute(
            "INSERT INTO daily_messages (subject, day, used) VALUES (:subject, :day, 0)",
            subject=subject,
            day=day,
        )


def take(db: Connection, subject: str, day: str, *, limit: int) -> Deferred:
    """Count one more message; it matches no row at the limit, and where there is none."""
    return db.defer(
        """
        UPDATE daily_messages
        SET used = used + 1
        WHERE subject = :subject AND day = :day AND used < :limit
        """,
        subject=subject,
        day=day,
        limit=limit,
    )


def lock(db: Connection, subject: str, day: str) -> Deferred:
    """Lock the row to count in until the end of the transaction; the result is its `used`.

    `find_used` reads the snapshot of the transaction, which may be older than the row.
    """
    return db.defer(
        """
        SELECT used
        FROM daily_messages
        WHERE subject = :subject AND day = :day
        /*! FOR UPDATE */
        """,
        subject=subject,
        day=day,
    )


def give_back(db: Connection, subject: str, day: str) -> None:
    """Subtract a message whose answer was empty."""
    db.defer(
        """
        UPDATE daily_messages
        SET used = used - 1
        WHERE subject = :subject AND day = :day AND used > 0
        """,
        subject=subject,
        day=day,
    )


def find_used(db: Connection, subject: str, day: str) -> int | None:
    return db.find(
        lambda used: int(used),
        "SELECT used FROM daily_messages WHERE subject = :subject AND day = :day",
        subject=subject,
        day=day,
    )


def lock_day(db: Connection, subject: str, day: str) -> None:
    """Lock the row until the end of the transaction. The update changes nothing."""
    db.execute(
        "UPDATE daily_messages SET used = used WHERE subject = :subject AND day = :day",
        subject=subject,
        day=day,
    )


def raise_to(db: Connection, subject: str, day: str, used: int) -> None:
    """Set the count where it is lower."""
    db.execute(
        """
        UPDATE daily_messages
        SET used = :used
        WHERE subject = :subject AND day = :day AND used < :used
        """,
        subject=subject,
        day=day,
        used=used,
    )


def copy_count(db: Connection, origin: str, subject: str, day: str) -> None:
    """Begin the day of a new subject with the count of another one."""
    db.execute(
        """
        INSERT INTO daily_messages (subject, day, used)
        SELECT :subject AS subject, day, used
        FROM daily_messages
        WHERE subject = :origin AND day = :day AND used > 0
        """,
        subject=subject,
        origin=origin,
        day=day,
    )


def remove_addresses(db: Connection, before_day: str, *, count: int) -> int:
    """Delete up to `count` counts of addresses of earlier days; return how many."""
    return _remove(
        db,
        """
        SELECT subject, day
        FROM daily_messages
        WHERE subject LIKE :pattern AND day < :before_day
        LIMIT :count
        """,
        pattern=f"{ADDRESS}%",
        before_day=before_day,
        count=count,
    )


def remove_days(db: Connection, before_day: str, *, count: int) -> int:
    """Delete up to `count` counts of earlier days; return how many."""
    return _remove(
        db,
        """
        SELECT subject, day
        FROM daily_messages
        WHERE day < :before_day
        ORDER BY day, subject
        LIMIT :count
        """,
        before_day=before_day,
        count=count,
    )


def _remove(db: Connection, query: str, **parameters: object) -> int:
    """Delete the counts that the query finds, by their keys; return how many."""
    found = db.find_all(lambda **row: row, query, **parameters)
    for row in found:
        db.execute("DELETE FROM daily_messages WHERE subject = :subject AND day = :day", **row)
    return len(found)
