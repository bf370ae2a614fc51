"""Identifiers: unique, unguessable, and ordered by time so that indexes stay compact."""

import hashlib
import secrets

from shared.times import now_ms

_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def new_id() -> str:
    """26 characters: 48 bits of milliseconds and 80 random ones (ULID specification)."""
    return _spelled(now_ms() << 80 | secrets.randbits(80))


def question_id(message_id: str) -> str:
    """The id of the question that this message answers, known before it is stored."""
    number = int.from_bytes(hashlib.sha256(message_id.encode()).digest()[:10], "big")
    return message_id[:10] + _spelled(number)[10:]


def lowest_id(at_ms: int) -> str:
    """The lowest id that can be made at this moment."""
    return _spelled(at_ms << 80)


def _spelled(number: int) -> str:
    return "".join(_CROCKFORD[number >> shift & 31] for shift in range(125, -5, -5))
