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
) -> Duplicate | None:
    """Store the key of a first request, or return the earlier request with the same key.

    Raises: IdempotencyMismatch: the earlier request had another body.
    """
    if key is None:
        return None
    claim = IdempotencyKey(subject, key.text, key.request_hash, message_id, at_ms)
    earlier = idempotency.claim(db, claim)
    if earlier is None:
        return None
    if earlier.request_hash != claim.request_hash:
        raise IdempotencyMismatch
    return Duplicate(earlier.message_id)
