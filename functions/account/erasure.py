"""Deleting an account: at once, with all that was said, and without touching the books."""

from shared.accounts.erasure import forget_content
from shared.database.connection import Connection
from shared.errors import Conflict, LastAdministrator
from shared.repos import sessions, users
from shared.repos.users import User
from shared.times import now_ms


def erase(db: Connection, user: User) -> None:
    """Answers still being given come to their end and are charged; they are not kept.

    Raises:
        LastAdministrator: nobody would be left to administer.
        Conflict: the password or the role changed after they were looked at.
    """
    if user.is_admin and users.lock_administrators(db) == [user.id]:
        raise LastAdministrator
    forget_content(db, user.id)
    if not users.erase(db, user, at_ms=now_ms()):
        raise Conflict
    sessions.remove_all(db, user.id)
