"""Rotating refresh tokens: each is used once, and a late second use ends the session."""

from contextlib import suppress
from itertools import islice

from functions.session.logic import is_valid, was_used_long_before
from shared.accounts import sessions as issuing
from shared.accounts.tokens import refresh_after, refresh_hash, successors
from shared.database.connection import Connection, DuplicateKey
from shared.errors import InvalidRefreshToken
from shared.repos import sessions
from shared.repos.sessions import RefreshToken, Renewal
from shared.times import now_ms


def rotate(
    db: Connection, renewal: Renewal, parent: str, device: str | None
) -> dict[str, object] | None:
    """Exchange a refresh token for its successor; return the session with it.

    The first use rotates the token. Uses within REUSE_WINDOW_MS after it get the
    same successor, also if the answer got lost. A later use means that two clients hold
    the token, so it was stolen: the session ends, and None is returned.

    Needs no transaction: the successor is stored before the token is marked used, and a
    repetition finds it, so one that was interrupted at any point can be repeated.

    Raises: InvalidRefreshToken.
    """
    now, token = now_ms(), renewal.token
    if renewal.user is None:
        raise InvalidRefreshToken
    if was_used_long_before(token, now):
        sessions.end(db, token.session_id, token.user_id, at_ms=now)
        return None
    if not is_valid(token, now):
        raise InvalidRefreshToken
    child = _successor(db, token, parent, now)
    if not sessions.mark_renewed(db, token.session_id, device=device, at_ms=now):
        raise InvalidRefreshToken
    return issuing.issue(renewal.user, token.session_id, child)


def _successor(db: Connection, token: RefreshToken, parent: str, now: int) -> str:
    """The token to give out: a new one for the first use, the newest one for others."""
    if token.used_at_ms is None:
        child = refresh_after(parent)
        _store(db, token, child)
        if sessions.use_refresh_token(db, refresh_hash(parent), at_ms=now):
            return child
    return _newest_after(db, token, parent)


def _store(db: Connection, token: RefreshToken, child: str) -> None:
    """Raises: InvalidRefreshToken: the session has ended."""
    with suppress(DuplicateKey):  # stored by a concurrent or an interrupted request
        if not issuing.store_refresh_token(
            db, child, token.session_id, opened_at_ms=token.opened_at_ms
        ):
            raise InvalidRefreshToken


def _newest_after(db: Connection, token: RefreshToken, parent: str) -> str:
    """The last token of the session that is not used yet: a used one would count as stolen later.

    Only its hash is stored. It is found by deriving successors of the parent, without
    a statement for each of them. Raises: InvalidRefreshToken.
    """
    family, newest = sessions.get_family(db, token.session_id), ""
    for child in islice(successors(parent), family.size):
        if refresh_hash(child) in family.unused:
            newest = child
    if not newest:
        raise InvalidRefreshToken
    return newest
