"""Deleting an account and its content; the ledger and the use of the day are kept."""

from shared.accounts import address_quota
from shared.accounts.erasure import forget_stored_content
from shared.database.connection import Connection
from shared.errors import Conflict, LastAdministrator
from shared.repos import sessions, turns, users
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
    turns.forget_all_questions(db, user.id)
    address_quota.keep_used(db, user)
    forget_stored_content(db, user.id)
    if not users.erase(db, user, at_ms=now_ms()):
        raise Conflict
    sessions.remove_all(db, user.id)
