"""How many messages somebody has had on a day."""

from contextlib import suppress

from shared.database.connection import Connection, DuplicateKey


def open_day(db: Connection, subject: str, day: str) -> None:
    """Have a row to count in.

    Do this in a transaction of its own: whoever finds the row there already
    holds a lock on it until the transaction ends, and two who then count would
    wait for each other.
    """
    with suppress(DuplicateKey):
        db.execute(
            "INSERT INTO daily_messages (subject, day, used) VALUES (:subject, :day, 0)",
            subject=subject,
            day=day,
        )


def take(db: Connection, subject: str, day: str, *, limit: int) -> bool:
    """Count one more message; say whether it was: not at the limit, nor where there is no row."""
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


def give_back(db: Connection, subject: str, day: str) -> None:
    """An answer that never came does not count."""
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
