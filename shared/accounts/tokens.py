"""Access tokens, and opaque refresh tokens."""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from shared import jwt_coding, settings
from shared.config import Secret, load
from shared.errors import TokenExpired
from shared.jwt_coding import ISSUER, Purpose
from shared.times import now_ms

_ACCESS = Purpose(f"{ISSUER}/api", "access")


@dataclass(frozen=True)
class Claims:
    user_id: str
    session_id: str
    role: str


def issue_access(claims: Claims) -> str:
    own = {"sid": claims.session_id, "role": claims.role}
    return jwt_coding.issue(_ACCESS, claims.user_id, load(settings.Tokens).access_seconds, own)


def read_access(token: str) -> Claims:
    """The claims of a valid token. `role` is the role at sign-in and may have changed since.

    Raises: TokenExpired, InvalidToken.
    """
    claims, expires_at = _verified(token, load(settings.Tokens).secret)
    if expires_at * 1000 <= now_ms():
        raise TokenExpired
    return claims


@lru_cache(maxsize=1000)
def _verified(token: str, secret: Secret) -> tuple[Claims, int]:
    """The claims of a valid token and the time it expires at, in seconds.

    An app sends the same token with each request, and verifying it is a tenth of the work of a
    short answer. Only valid tokens are remembered, and only for the secret that signed them.
    """
    payload = jwt_coding.verify(_ACCESS, token, ("sid", "role"))
    claims = Claims(str(payload["sub"]), str(payload["sid"]), str(payload["role"]))
    return claims, int(payload["exp"])


def new_refresh() -> str:
    return secrets.token_urlsafe(32)


def refresh_after(parent: str) -> str:
    """The refresh token that follows this one.

    It is derived, so that all who renew a session at once are given the same
    one although only hashes are stored. Deriving it needs our secret.
    """
    return next(successors(parent))


def successors(parent: str) -> Iterator[str]:
    """The refresh tokens that follow this one, without end."""
    key = hmac.digest(load(settings.Tokens).secret.reveal().encode(), b"refresh token", "sha256")
    child = parent
    while True:
        digest = hmac.digest(key, child.encode(), "sha256")
        child = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        yield child


def refresh_hash(token: str) -> str:
    """The stored hash: 256 random bits need no salt and no slow hash."""
    return hashlib.sha256(token.encode()).hexdigest()
