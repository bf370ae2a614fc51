"""Keys that clients chose, and what each of them led to."""

from contextlib import suppress
from dataclasses import dataclass

from shared.database.connection import Connection, DuplicateKey


@dataclass(frozen=True)
class Key:
    """`message_id` names what is done for it, `answer` (JSON) is what other than messages came to.

    A message tells its answer itself.
    """

    subject: str
    client_key: str
    request_hash: str
    message_id: str
    created_at_ms: int
    answer: str | None = None


def claim(db: Connection, key: Key) -> Key | None:
    """Take the key for this request; return the one that had it before, if one had.

    That one is read as it is now: what this transaction has seen so far may be older.
    """
    with suppress(DuplicateKey):
        db.execute(
            """
            INSERT INTO idempotency_keys
                (subject, client_key, request_hash, message_id, created_at_ms)
            VALUES
                (:subject, :client_key, :request_hash, :message_id, :created_at_ms)
            """,
            **vars(key),
        )
        return None
    return db.find(
        Key,
        """
        SELECT subject, client_key, request_hash, message_id, created_at_ms, answer
        FROM idempotency_keys
        WHERE subject = :subject AND client_key = :client_key
        /*! LOCK IN SHARE MODE */
        """,
        subject=key.subject,
        client_key=key.client_key,
    )


def record_answer(db: Connection, message_id: str, answer: str) -> None:
    """For those who repeat the key."""
    db.execute(
        "UPDATE idempotency_keys SET answer = :answer WHERE message_id = :message_id",
        message_id=message_id,
        answer=answer,
    )


def forget(db: Connection, message_id: str) -> None:
    """What led to no answer may be asked again with the same key."""
    db.execute("DELETE FROM idempotency_keys WHERE message_id = :message_id", message_id=message_id)


def forget_all(db: Connection, subject: str) -> None:
    db.execute("DELETE FROM idempotency_keys WHERE subject = :subject", subject=subject)


def forget_before(db: Connection, at_ms: int, *, count: int) -> int:
    """Forget about `count` of the keys that are older, the oldest first; return how many."""
    oldest = db.find_all(
        lambda created_at_ms: int(created_at_ms),
        """
        SELECT created_at_ms
        FROM idempotency_keys
        WHERE created_at_ms < :at_ms
        ORDER BY created_at_ms
        LIMIT :count
        """,
        at_ms=at_ms,
        count=count,
    )
    if not oldest:
        return 0
    return db.execute(
        "DELETE FROM idempotency_keys WHERE created_at_ms <= :last_ms", last_ms=oldest[-1]
    )
