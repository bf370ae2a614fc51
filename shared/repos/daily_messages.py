"""Daily message counts of users and guests."""

from contextlib import suppress

from shared.database.connection import Connection, DuplicateKey


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


def take(db: Connection, subject: str, day: str, *, limit: int) -> bool:
    """Count one more message; False at the limit, and where there is no row."""
    return bool(
        db.execute(
            """
            UPDATE daily_messages
            SET used = used + 1
            WHERE subject = :subject AND day = :day AND used < :limit
            """,
            subject=subject,
            day=day,
            limit=limit,
        )
    )


def lock(db: Connection, subject: str, day: str) -> bool:
    """Lock the row to count in until the end of the transaction; return whether there is one.

    `find_used` reads the snapshot of the transaction, which may be older than the row.
    """
    return db.exists(
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
    db.execute(
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
