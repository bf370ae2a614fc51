"""Rotating refresh tokens: each is used once, and a late second use ends the session."""

from itertools import islice

from functions.session.logic import is_valid, was_used_long_before
from shared.accounts import sessions as issuing
from shared.accounts.tokens import refresh_after, refresh_hash, successors
from shared.database.connection import Connection
from shared.errors import InvalidRefreshToken
from shared.repos import sessions, users
from shared.repos.sessions import RefreshToken
from shared.times import now_ms


def rotate(db: Connection, parent: str, device: str | None) -> dict[str, object] | None:
    """Exchange a refresh token for its successor; return the session with it.

    The first use rotates the token. Uses within REUSE_WINDOW_MS after it get the
    same successor, also after a crash between the commit and the answer. A later
    use means that two clients hold the token, so it was stolen: the session ends,
    and None is returned so that the transaction commits.

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
    if not is_valid(token, now):
        raise InvalidRefreshToken
    if not is_first:
        return issuing.issue(user, token.session_id, _newest_after(db, token, parent))
    if not sessions.mark_renewed(db, token.session_id, device=device, at_ms=now):
        raise InvalidRefreshToken
    child = refresh_after(parent)
    issuing.store_refresh_token(db, child, token.session_id, opened_at_ms=token.opened_at_ms)
    return issuing.issue(user, token.session_id, child)


def _newest_after(db: Connection, token: RefreshToken, parent: str) -> str:
    """The one token of the session that is not used yet: a used one would count as stolen later.

    Only its hash is stored. It is found by deriving successors of the parent, without
    a statement for each of them. Raises: InvalidRefreshToken.
    """
    family = sessions.get_family(db, token.session_id)
    for child in islice(successors(parent), family.size):
        if refresh_hash(child) == family.unused_hash:
            return child
    raise InvalidRefreshToken
