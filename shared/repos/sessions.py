"""Sessions and the hashes of their refresh tokens."""

from shared.db import Connection


def add(db: Connection, session_id: str, user_id: str, *, at_ms: int) -> None:
    db.execute(
        """
        INSERT INTO sessions (id, user_id, created_at_ms)
        VALUES (:id, :user_id, :at_ms)
        """,
        id=session_id,
        user_id=user_id,
        at_ms=at_ms,
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
