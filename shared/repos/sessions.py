"""Sessions and the hashes of their refresh tokens."""

from dataclasses import dataclass, fields
from typing import Any

from shared.database.connection import Connection
from shared.errors import NotFound
from shared.ids import lowest_id
from shared.repos.users import User


@dataclass(frozen=True)
class Session:
    """`device` is the client's name for itself, so that users recognise their sessions."""

    id: str
    user_id: str
    device: str | None
    created_at_ms: int
    used_at_ms: int


@dataclass(frozen=True)
class RefreshToken:
    """A refresh token with the session that it renews."""

    session_id: str
    user_id: str
    opened_at_ms: int
    expires_at_ms: int
    used_at_ms: int | None


@dataclass(frozen=True)
class Renewal:
    """A refresh token and the active account that it renews a session of.

    `user` is None where the session has ended or the account is disabled.
    """

    token: RefreshToken
    user: User | None


@dataclass(frozen=True)
class Family:
    """The refresh tokens of a session: how many, and the hashes of those not used yet.

    There is one, or two while a renewal is running or after one was interrupted.
    """

    size: int
    first_unused: str | None
    last_unused: str | None

    @property
    def unused(self) -> set[str | None]:
        return {self.first_unused, self.last_unused} - {None}


def add(db: Connection, session: Session) -> None:
    db.execute(
        """
        INSERT INTO sessions (id, user_id, device, created_at_ms, used_at_ms)
        VALUES (:id, :user_id, :device, :created_at_ms, :used_at_ms)
        """,
        **vars(session),
    )


def add_if_unchanged(db: Connection, session: Session, password_hash: str | None) -> bool:
    """Add if the account is active and this is still its password hash; return whether.

    Passwords are checked outside of transactions, so the hash may have changed since. The
    statement waits for a change of the account that is not committed yet.
    """
    return bool(
        db.execute(
            """
            INSERT INTO sessions (id, user_id, device, created_at_ms, used_at_ms)
            SELECT :id, id, :device, :created_at_ms, :used_at_ms
            FROM users
            WHERE id = :user_id AND password_hash = :password_hash AND disabled_at_ms IS NULL
            /*! FOR UPDATE */
            """,
            **vars(session),
            password_hash=password_hash,
        )
    )


def get(db: Connection, session_id: str) -> Session:
    """Raises: NotFound."""
    found = db.find(
        Session,
        """
        SELECT id, user_id, device, created_at_ms,
            COALESCE(used_at_ms, created_at_ms) AS used_at_ms
        FROM sessions
        WHERE id = :id
        """,
        id=session_id,
    )
    if found is None:
        raise NotFound
    return found


def end(db: Connection, session_id: str, user_id: str, *, at_ms: int) -> bool:
    """End one session of this user; return whether this call did."""
    return bool(
        db.execute(
            """
            UPDATE sessions
            SET ended_at_ms = :at_ms
            WHERE id = :id AND user_id = :user_id AND ended_at_ms IS NULL
            """,
            id=session_id,
            user_id=user_id,
            at_ms=at_ms,
        )
    )


def end_all(db: Connection, user_id: str, *, at_ms: int, but: str = "") -> int:
    """End all sessions of this user, or all but one; return how many that ended."""
    return db.execute(
        """
        UPDATE sessions
        SET ended_at_ms = :at_ms
        WHERE user_id = :user_id AND id <> :but AND ended_at_ms IS NULL
        """,
        user_id=user_id,
        at_ms=at_ms,
        but=but,
    )


def add_refresh_token(
    db: Connection,
    token_hash: str,
    session_id: str,
    *,
    issued_at_ms: int,
    expires_at_ms: int,
    even_if_ended: bool = False,
) -> bool:
    """Add if the session is live; return whether. The statement waits for an uncommitted end.

    Raises: DuplicateKey: it was added before.
    """
    return bool(
        db.execute(
            """
            INSERT INTO refresh_tokens (token_hash, session_id, issued_at_ms, expires_at_ms)
            SELECT :token_hash, id, :issued_at_ms, :expires_at_ms
            FROM sessions
            WHERE id = :session_id AND (ended_at_ms IS NULL OR :even_if_ended)
            /*! LOCK IN SHARE MODE */
            """,
            token_hash=token_hash,
            session_id=session_id,
            issued_at_ms=issued_at_ms,
            expires_at_ms=expires_at_ms,
            even_if_ended=even_if_ended,
        )
    )


def use_refresh_token(db: Connection, token_hash: str, *, at_ms: int) -> bool:
    """Mark an unexpired token used; return whether this call did."""
    return bool(
        db.execute(
            """
            UPDATE refresh_tokens
            SET used_at_ms = :at_ms
            WHERE token_hash = :token_hash AND used_at_ms IS NULL AND expires_at_ms > :at_ms
            """,
            token_hash=token_hash,
            at_ms=at_ms,
        )
    )


def find_refresh_token(db: Connection, token_hash: str) -> RefreshToken | None:
    return db.find(
        RefreshToken,
        """
        SELECT t.session_id, s.user_id, s.created_at_ms AS opened_at_ms, t.expires_at_ms,
            t.used_at_ms
        FROM refresh_tokens AS t
        JOIN sessions AS s ON s.id = t.session_id
        WHERE t.token_hash = :token_hash
        """,
        token_hash=token_hash,
    )


def find_renewal(db: Connection, token_hash: str) -> Renewal | None:
    return db.find(
        _renewal,
        """
        SELECT t.session_id, s.user_id, s.created_at_ms AS opened_at_ms, t.expires_at_ms,
            t.used_at_ms, u.id, u.email, u.username, u.password_hash, u.role, u.created_at_ms,
            u.disabled_at_ms
        FROM refresh_tokens AS t
        JOIN sessions AS s ON s.id = t.session_id
        LEFT JOIN users AS u
            ON u.id = s.user_id AND u.disabled_at_ms IS NULL AND s.ended_at_ms IS NULL
        WHERE t.token_hash = :token_hash
        """,
        token_hash=token_hash,
    )


def _renewal(**columns: Any) -> Renewal:
    token, user = ({f.name: columns[f.name] for f in fields(one)} for one in (RefreshToken, User))
    return Renewal(RefreshToken(**token), User(**user) if columns["id"] else None)


def get_family(db: Connection, session_id: str) -> Family:
    [family] = db.find_all(
        Family,
        """
        SELECT COUNT(*) AS size,
            MIN(CASE WHEN used_at_ms IS NULL THEN token_hash END) AS first_unused,
            MAX(CASE WHEN used_at_ms IS NULL THEN token_hash END) AS last_unused
        FROM refresh_tokens
        WHERE session_id = :session_id
        """,
        session_id=session_id,
    )
    return family


def mark_renewed(db: Connection, session_id: str, *, device: str | None, at_ms: int) -> bool:
    """Store the renewal; False where the session has ended."""
    return bool(
        db.execute(
            """
            UPDATE sessions
            SET used_at_ms = :at_ms,
                device = :device
            WHERE id = :id AND ended_at_ms IS NULL
            """,
            id=session_id,
            device=device,
            at_ms=at_ms,
        )
    )


def list_live(
    db: Connection, user_id: str, *, current: str, at_ms: int, count: int
) -> list[Session]:
    """Sessions that can still be renewed, and the current one; the last used first.

    The index has the order of the list; sessions opened before `used_at_ms` was stored have
    NULL there and come last. The tokens are read session by session: for an EXISTS, MariaDB
    first collects the tokens of all users.
    """
    return db.find_all(
        Session,
        """
        SELECT s.id, s.user_id, s.device, s.created_at_ms,
            COALESCE(s.used_at_ms, s.created_at_ms) AS used_at_ms
        FROM sessions AS s /*! FORCE INDEX (ix_sessions_live) */
        WHERE s.user_id = :user_id AND s.ended_at_ms IS NULL AND (
            s.id = :current
            OR :at_ms < (
                SELECT MAX(t.expires_at_ms)
                FROM refresh_tokens AS t
                WHERE t.session_id = s.id AND t.used_at_ms IS NULL
            )
        )
        ORDER BY s.used_at_ms DESC, s.id DESC
        LIMIT :count
        """,
        user_id=user_id,
        current=current,
        at_ms=at_ms,
        count=count,
    )


def remove_all(db: Connection, user_id: str) -> None:
    """Delete all sessions of a user, with their refresh tokens."""
    of_user = db.find_all(
        lambda id: str(id), "SELECT id FROM sessions WHERE user_id = :user_id", user_id=user_id
    )
    for session_id in of_user:
        remove(db, session_id)


def remove_ended(db: Connection, before_ms: int, *, count: int) -> int:
    """Delete up to `count` sessions that ended before, with their tokens; return how many."""
    ended = db.find_all(
        lambda id: str(id),
        """
        SELECT id
        FROM sessions
        WHERE ended_at_ms < :before_ms
        ORDER BY ended_at_ms
        LIMIT :count
        """,
        before_ms=before_ms,
        count=count,
    )
    for session_id in ended:
        remove(db, session_id)
    return len(ended)


def remove_expired_tokens(db: Connection, before_ms: int, *, count: int) -> int:
    """Delete up to `count` refresh tokens that expired before; return how many.

    A session without any refresh token left is ended.
    """
    expired = db.find_all(
        lambda **token: (str(token["token_hash"]), str(token["session_id"])),
        """
        SELECT token_hash, session_id
        FROM refresh_tokens
        WHERE expires_at_ms < :before_ms
        ORDER BY expires_at_ms
        LIMIT :count
        """,
        before_ms=before_ms,
        count=count,
    )
    for token_hash, _ in expired:
        db.execute("DELETE FROM refresh_tokens WHERE token_hash = :hash", hash=token_hash)
    for session_id in {session_id for _, session_id in expired}:
        db.execute(
            """
            UPDATE sessions
            SET ended_at_ms = :at_ms
            WHERE id = :id AND ended_at_ms IS NULL
                AND NOT EXISTS (SELECT 1 FROM refresh_tokens WHERE session_id = :id)
            """,
            id=session_id,
            at_ms=before_ms,
        )
    return len(expired)


def list_opened(db: Connection, *, before_ms: int, after: str, count: int) -> list[str]:
    """Sessions that were opened before, by their ids, which are ordered by time."""
    return db.find_all(
        lambda id: str(id),
        """
        SELECT id
        FROM sessions
        WHERE id > :after AND id < :lowest_id
        ORDER BY id
        LIMIT :count
        """,
        after=after,
        lowest_id=lowest_id(before_ms),
        count=count,
    )


def remove(db: Connection, session_id: str) -> bool:
    """Delete a session with its tokens; say whether it was there."""
    db.execute("DELETE FROM refresh_tokens WHERE session_id = :id", id=session_id)
    return bool(db.execute("DELETE FROM sessions WHERE id = :id", id=session_id))
