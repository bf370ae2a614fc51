"""Duplicate requests: the same idempotency key, and so the same answer."""

from dataclasses import dataclass

from shared.database.connection import Connection
from shared.errors import IdempotencyMismatch
from shared.limits.idempotency import ClientKey
from shared.repos import idempotency
from shared.repos.idempotency import IdempotencyKey


@dataclass(frozen=True)
class Duplicate:
    """A request whose answer is that of an earlier request, under this message id."""

    message_id: str


def claim_key(
    db: Connection, subject: str, key: ClientKey | None, *, message_id: str, at_ms: int
) -> None:
    """Store the key, if there is one, by a deferred statement.

    Raises: DuplicateKey, where that is sent: this is not the first request with the key.
    """
    if key is not None:
        idempotency.store(
            db, IdempotencyKey(subject, key.text, key.request_hash, message_id, at_ms)
        )


def earlier_request(db: Connection, subject: str, key: ClientKey | None) -> Duplicate | None:
    """The earlier request with the same key.

    Raises: IdempotencyMismatch: it had another body.
    """
    earlier = idempotency.find(db, subject, key.text) if key else None
    if earlier and key and not key.is_of(earlier):
        raise IdempotencyMismatch
    return Duplicate(earlier.message_id) if earlier else None
