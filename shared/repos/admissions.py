"""Admission of a user's chat message: all that it depends on, in one statement."""

from dataclasses import dataclass

from shared.database.connection import Connection
from shared.repos.users import IS_ACTIVE


@dataclass(frozen=True)
class Admission:
    """The window of the limit of unpaid messages, if there is one, and the messages of the day."""

    unpaid_used: int | None
    unpaid_ends_ms: int | None
    used_today: int | None


def find(db: Connection, user_id: str, *, session_id: str, day: str) -> Admission | None:
    """Return None if the account is deleted or disabled, or the session has ended."""
    return db.find(
        Admission,
        f"""
        SELECT r.used AS unpaid_used, r.ends_ms AS unpaid_ends_ms, d.used AS used_today
        FROM sessions AS s
        JOIN users AS u ON u.id = s.user_id
        LEFT JOIN rate_limits AS r ON r.name = 'unpaid' AND r.subject = u.id
        LEFT JOIN daily_messages AS d ON d.subject = u.id AND d.day = :day
        WHERE {IS_ACTIVE}
        """,  # noqa: S608  # our own condition
        user_id=user_id,
        session_id=session_id,
        day=day,
    )
