"""Files and bytes that a user may upload on a day."""

from contextlib import suppress

from shared.database.connection import Connection, DuplicateKey


def open_day(db: Connection, user_id: str, day: str) -> None:
    """Insert the row to count in, unless it exists.

    Call it in a transaction of its own: see shared.repos.daily_messages.open_day.
    """
    with suppress(DuplicateKey):
        db.execute(
            """
            INSERT INTO daily_uploads (user_id, day, files, bytes)
            VALUES (:user_id, :day, 0, 0)
            """,
            user_id=user_id,
            day=day,
        )


def take(
    db: Connection, user_id: str, day: str, size: int, *, most_files: int, most_bytes: int
) -> bool:
    """Count one more file; False, and nothing is counted, where it would exceed a limit."""
    return bool(
        db.execute(
            """
            UPDATE daily_uploads
            SET files = files + 1, bytes = bytes + :size
            WHERE user_id = :user_id AND day = :day
                AND files < :most_files AND bytes + :size <= :most_bytes
            """,
            user_id=user_id,
            day=day,
            size=size,
            most_files=most_files,
            most_bytes=most_bytes,
        )
    )


def remove_all(db: Connection, user_id: str) -> None:
    db.execute("DELETE FROM daily_uploads WHERE user_id = :user_id", user_id=user_id)


def remove_days(db: Connection, before_day: str, *, count: int) -> int:
    """Delete up to `count` counts of earlier days; return how many."""
    found = db.find_all(
        lambda **row: row,
        """
        SELECT user_id, day
        FROM daily_uploads
        WHERE day < :before_day
        ORDER BY day, user_id
        LIMIT :count
        """,
        before_day=before_day,
        count=count,
    )
    for row in found:
        db.execute("DELETE FROM daily_uploads WHERE user_id = :user_id AND day = :day", **row)
    return len(found)
