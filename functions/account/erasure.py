"""Deleting an account and its content; the ledger is kept."""

from shared.accounts.erasure import forget_content
from shared.database.connection import Connection
from shared.errors import Conflict, LastAdministrator
from shared.repos import sessions, users
from shared.repos.users import User
from shared.times import now_ms


def erase(db: Connection, user: User) -> None:
    """Delete the account. Running answers end and are charged, but are not stored.

    Raises:
        LastAdministrator: no active administrator would be left.
        Conflict: the password or the role has changed since the user was read.
    """
    if user.is_admin and users.lock_administrators(db) == [user.id]:
        raise LastAdministrator
    forget_content(db, user.id)
    if not users.erase(db, user, at_ms=now_ms()):
        raise Conflict
    sessions.remove_all(db, user.id)
