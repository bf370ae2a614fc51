"""Daily quota of an address: it outlives the account, so that registering again resets nothing.

The address is the e-mail address, or the username of an account without one. It is
counted under a keyed hash, which does not reveal it, until maintenance removes the row
after the day.
"""

import hashlib
import hmac
import unicodedata

from shared import settings
from shared.config import load
from shared.database.connection import Connection
from shared.repos import daily_messages
from shared.repos.users import User
from shared.times import now_ms, shanghai_day

_LONGEST_SUBJECT = 64


def keep_used(db: Connection, user: User) -> None:
    """Store the use of today with the address of an account that is being deleted.

    Call it after the turns are locked: see shared.repos.lock_order. A message that was
    admitted before the deletion and is counted after it is not included.
    """
    day = shanghai_day(now_ms())
    daily_messages.lock_day(db, user.id, day)
    used = daily_messages.find_used(db, user.id, day)
    subject = _subject(user)
    if used and subject:
        daily_messages.open_day(db, subject, day)
        daily_messages.raise_to(db, subject, day, used)


def continue_used(db: Connection, user: User) -> None:
    """Begin the day of a new account with what its address has used today.

    The row of the address is inserted, or locked, first: a deletion of an account with
    this address that is running at the same time has to end before the count is read.
    """
    day, subject = shanghai_day(now_ms()), _subject(user)
    if subject:
        daily_messages.open_day(db, subject, day)
        daily_messages.copy_count(db, subject, user.id, day)


def _subject(user: User) -> str | None:
    """Keyed, because a plain hash of an address can be found by trying all known addresses."""
    address = user.email or user.username
    if not address:
        return None
    secret = load(settings.Tokens).secret.reveal().encode()
    normal = unicodedata.normalize("NFKC", address).strip().lower()
    digest = hmac.new(secret, f"quota address:{normal}".encode(), hashlib.sha256).hexdigest()
    return f"{daily_messages.ADDRESS}{digest}"[:_LONGEST_SUBJECT]
