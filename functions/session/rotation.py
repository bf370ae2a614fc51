"""A refresh token is used once: rotating it, and what its second use means."""

from functions.session.logic import is_good, was_used_long_before
from shared.accounts import sessions as opened
from shared.accounts.tokens import refresh_after, refresh_hash
from shared.database.connection import Connection
from shared.errors import InvalidRefreshToken
from shared.repos import sessions, users
from shared.times import now_ms


def rotate(db: Connection, parent: str, device: str | None) -> dict[str, object] | None:
    """Trade a refresh token for the session with the next one.

    The first to come rotates, and whoever comes within the window after it is
    given the same successor, also after a crash between the commit and the
    answer. Later the token has been stolen from one of two who hold it: the
    session ends, and None is returned so that this is committed.

    Raises: InvalidRefreshToken.
    """
    now = now_ms()
    is_first = sessions.use_refresh_token(db, refresh_hash(parent), at_ms=now)
    token = sessions.find_refresh_token(db, refresh_hash(parent))
    if token is None:
        raise InvalidRefreshToken
    user = users.find_active(db, token.user_id, session_id=token.session_id)
    if user is None:
        raise InvalidRefreshToken
    if was_used_long_before(token, now):
        sessions.end(db, token.session_id, token.user_id, at_ms=now)
        return None
    if not is_good(token, now):
        raise InvalidRefreshToken
    if not is_first:
        return opened.told(user, token.session_id, _newest_after(db, parent))
    if not sessions.mark_renewed(db, token.session_id, device=device, at_ms=now):
        raise InvalidRefreshToken
    child = refresh_after(parent)
    opened.keep(db, child, token.session_id, opened_at_ms=token.opened_at_ms)
    return opened.told(user, token.session_id, child)


def _newest_after(db: Connection, parent: str) -> str:
    """The successor may have been rotated too; a used one would look stolen later."""
    child = refresh_after(parent)
    while (token := sessions.find_refresh_token(db, refresh_hash(child))) and token.used_at_ms:
        child = refresh_after(child)
    return child
