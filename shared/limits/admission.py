"""Admission of a user's message: the session, the limit of messages and that of unpaid ones."""

from shared.accounts.tokens import Claims
from shared.database.connection import Connection
from shared.errors import InvalidToken
from shared.limits import rate_limits
from shared.repos import admissions
from shared.repos.rate_limits import Window
from shared.times import now_ms, shanghai_day


def admit_user(connection: Connection, claims: Claims) -> int:
    """Count one more message of the user; return how many there were today.

    The session is checked first: a request with an ended session uses up no limit.

    Raises: InvalidToken; TooManyRequests, also if too many messages of the user were free
        because nothing came.
    """
    now, user_id = now_ms(), claims.user_id
    found = admissions.find(
        connection, user_id, session_id=claims.session_id, day=shanghai_day(now)
    )
    if found is None:
        raise InvalidToken
    if found.unpaid_used is not None and found.unpaid_ends_ms is not None:
        window = Window(found.unpaid_ends_ms, found.unpaid_used)
        rate_limits.refuse_full(rate_limits.of_unpaid(user_id), window, at_ms=now)
    due = rate_limits.due_of([rate_limits.of_user("chat", user_id)])
    rate_limits.spend(connection, due, at_ms=now)
    return found.used_today or 0
