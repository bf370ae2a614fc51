"""Password hashes: bcrypt over a pre-hash, and plain bcrypt for imported ones."""

import base64
import hashlib

import bcrypt

from shared import settings
from shared.config import load

_SCHEME = "sha384-"  # our hashes: this tag, then the bcrypt hash of base64(sha384(password))
_PLAIN = ("$2a$", "$2b$", "$2y$")
_PLAIN_BYTES = 72  # what bcrypt reads of a password


def hash_password(password: str) -> str:
    """Hash for storage. Passwords of any length count in full."""
    salt = bcrypt.gensalt(_cost())
    return _SCHEME + bcrypt.hashpw(_prehashed(password), salt).decode()


def matches(password: str, stored: str | None) -> bool:
    """Say whether the password is the one stored.

    A refusal always takes the time of the current cost, also with no stored hash or an
    older and cheaper one, so that its time does not reveal which accounts exist. A plain
    bcrypt hash never matches a password that bcrypt does not read whole.
    """
    try:
        if stored and _fits(password, stored):
            return True
    except ValueError:  # no hash was computed
        stored = None
    for cost in costs_to_top_up(stored):
        bcrypt.checkpw(_prehashed(password), _unmatched_hash(cost))
    return False


def costs_to_top_up(stored: str | None) -> range:
    """The costs that add up to the current one: each doubles the work of the one before."""
    current = _cost()
    return range(_cost_of(stored), current) if stored else range(current, current + 1)


def is_unfit_for_plain(password: str) -> bool:
    """Whether plain bcrypt would take another password for this one.

    It reads 72 bytes. It also ends a password at a NUL, or reads a shorter one again and
    again with a NUL between, so that "a" and "a\\0a" have the same hash.
    """
    encoded = password.encode()
    return len(encoded) > _PLAIN_BYTES or b"\0" in encoded


def _fits(password: str, stored: str) -> bool:
    """Raises: ValueError: nothing can be compared, so no hash was computed."""
    if stored.startswith(_PLAIN):
        if is_unfit_for_plain(password):
            raise ValueError
        return bcrypt.checkpw(password.encode(), stored.encode())
    if stored.startswith(_SCHEME):
        return bcrypt.checkpw(_prehashed(password), stored.removeprefix(_SCHEME).encode())
    raise ValueError


def _cost_of(stored: str) -> int:
    return int(stored.removeprefix(_SCHEME).split("$")[2])


def is_outdated(stored: str) -> bool:
    """True for hashes of other schemes and for those below the current cost."""
    if not stored.startswith(_SCHEME):
        return True
    return _cost_of(stored) < _cost()


def _prehashed(password: str) -> bytes:
    return base64.b64encode(hashlib.sha384(password.encode()).digest())


def _unmatched_hash(cost: int) -> bytes:
    """A well-formed hash that no password matches."""
    return f"$2b${cost:02}${'.' * 53}".encode()


def _cost() -> int:
    return load(settings.Passwords).bcrypt_cost
