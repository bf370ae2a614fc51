"""Sessions and the hashes of their refresh tokens."""

from dataclasses import dataclass

from shared.db import Connection


@dataclass(frozen=True)
class Session:
    """`device` is what the client called itself, for people to recognise it by."""

    id: str
    user_id: str
    device: str | None
    created_at_ms: int
    used_at_ms: int


def add(db: Connection, session: Session) -> None:
    db.execute(
        """
        INSERT INTO sessions (id, user_id, device, created_at_ms, used_at_ms)
        VALUES (:id, :user_id, :device, :created_at_ms, :used_at_ms)
        """,
        **vars(session),
    )


def end(db: Connection, session_id: str, user_id: str, *, at_ms: int) -> bool:
    """End one session of this user; say whether this call was the one to do it."""
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
    db: Connection, token_hash: str, session_id: str, *, issued_at_ms: int, expires_at_ms: int
) -> None:
    db.execute(
        """
        INSERT INTO refresh_tokens (token_hash, session_id, issued_at_ms, expires_at_ms)
        VALUES (:token_hash, :session_id, :issued_at_ms, :expires_at_ms)
        """,
        token_hash=token_hash,
        session_id=session_id,
        issued_at_ms=issued_at_ms,
        expires_at_ms=expires_at_ms,
    )
