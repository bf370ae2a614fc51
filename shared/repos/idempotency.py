"""Idempotency keys chosen by clients, and the results of their first requests."""

from contextlib import suppress
from dataclasses import dataclass

from shared.database.connection import Connection, DuplicateKey


@dataclass(frozen=True)
class IdempotencyKey:
    """`message_id` is the id of the first request's effect; `answer` its response as JSON.

    `answer` stays None for chat messages, whose answers are stored with their turns.
    """

    subject: str
    client_key: str
    request_hash: str
    message_id: str
    created_at_ms: int
    answer: str | None = None


def claim(db: Connection, key: IdempotencyKey) -> IdempotencyKey | None:
    """Store the key for this request; if it exists already, return the stored one."""
    with suppress(DuplicateKey):
        store(db, key)
        db.send()
        return None
    return find(db, key.subject, key.client_key)


def store(db: Connection, key: IdempotencyKey) -> None:
    """Raises: DuplicateKey, where the deferred statement is sent."""
    db.defer(
        """
        INSERT INTO idempotency_keys
            (subject, client_key, request_hash, message_id, created_at_ms)
        VALUES
            (:subject, :client_key, :request_hash, :message_id, :created_at_ms)
        """,
        **vars(key),
    )


def find(db: Connection, subject: str, client_key: str) -> IdempotencyKey | None:
    """The locking read returns its newest version, not that of the transaction's snapshot."""
    return db.find(
        IdempotencyKey,
        """
        SELECT subject, client_key, request_hash, message_id, created_at_ms, answer
        FROM idempotency_keys
        WHERE subject = :subject AND client_key = :client_key
        /*! LOCK IN SHARE MODE */
        """,
        subject=subject,
        client_key=client_key,
    )


def record_answer(db: Connection, message_id: str, answer: str) -> None:
    """Store the response for requests that repeat the key."""
    db.execute(
        "UPDATE idempotency_keys SET answer = :answer WHERE message_id = :message_id",
        message_id=message_id,
        answer=answer,
    )


def forget(db: Connection, message_id: str) -> None:
    """Remove the key of a request without effect, so that it can be repeated."""
    db.defer("DELETE FROM idempotency_keys WHERE message_id = :message_id", message_id=message_id)


def forget_all(db: Connection, subject: str) -> None:
    db.execute("DELETE FROM idempotency_keys WHERE subject = :subject", subject=subject)


def forget_before(db: Connection, at_ms: int, *, count: int) -> int:
    """Delete about `count` of the older keys, the oldest first; return how many."""
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
