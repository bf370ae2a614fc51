"""Access tokens (JWT, HS256; RFC 7519 and RFC 8725) and opaque refresh tokens."""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jwt

from shared import settings
from shared.config import load
from shared.errors import InvalidToken, TokenExpired
from shared.ids import new_id
from shared.times import now_ms

_ALGORITHM = "HS256"
_ISSUER = "fc-ai-backend"
_AUDIENCE = "fc-ai-backend/api"
_TYPE = "access"
_REQUIRED = ["iss", "aud", "sub", "typ", "iat", "exp", "jti"]
_SERVICE_SECONDS = 900
_LONGEST = 2048


@dataclass(frozen=True)
class Claims:
    user_id: str
    session_id: str
    role: str


def issue_access(claims: Claims) -> str:
    seconds = load(settings.Tokens).access_seconds
    more = {"sid": claims.session_id, "role": claims.role}
    return _issued(claims.user_id, _AUDIENCE, _TYPE, seconds, more)


def issue_service(worker: str, subject: str) -> str:
    """For a function of ours to start another on one thing only, named by `subject`."""
    return _issued(subject, f"fc-ai-backend/{worker}", "service", _SERVICE_SECONDS, {})


def _issued(subject: str, audience: str, kind: str, seconds: int, more: Mapping[str, str]) -> str:
    now = now_ms() // 1000
    payload = {
        "iss": _ISSUER,
        "aud": audience,
        "sub": subject,
        "typ": kind,
        "iat": now,
        "exp": now + seconds,
        "jti": new_id(),
        **more,
    }
    return jwt.encode(payload, load(settings.Tokens).secret.reveal(), algorithm=_ALGORITHM)


def read_access(token: str) -> Claims:
    """Verify a token of ours. `role` is what it was at sign-in; the database knows better.

    Raises: TokenExpired, InvalidToken.
    """
    payload = _verified(token, _AUDIENCE, _TYPE, [*_REQUIRED, "sid", "role"])
    return Claims(str(payload["sub"]), str(payload["sid"]), str(payload["role"]))


def read_service(worker: str, token: str) -> str:
    """Return what it is for. Raises: TokenExpired, InvalidToken."""
    return str(_verified(token, f"fc-ai-backend/{worker}", "service", _REQUIRED)["sub"])


def _verified(token: str, audience: str, kind: str, required: list[str]) -> dict[str, Any]:
    secret = load(settings.Tokens).secret.reveal()
    if len(token) > _LONGEST:
        raise InvalidToken
    try:
        payload: dict[str, Any] = jwt.decode(
            token,
            secret,
            algorithms=[_ALGORITHM],
            issuer=_ISSUER,
            audience=audience,
            # The clocks of two instances differ; a token is no less valid for coming early.
            options={"require": required, "verify_iat": False},
        )
    except jwt.ExpiredSignatureError:
        raise TokenExpired from None
    except (jwt.PyJWTError, ValueError, TypeError):
        raise InvalidToken from None
    if payload["typ"] != kind:
        raise InvalidToken
    return payload


def new_refresh() -> str:
    return secrets.token_urlsafe(32)


def refresh_after(parent: str) -> str:
    """The refresh token that follows this one.

    It is derived, so that all who renew a session at once are given the same
    one although only hashes are stored; without our secret nobody can do that.
    """
    key = hmac.digest(load(settings.Tokens).secret.reveal().encode(), b"refresh token", "sha256")
    child = hmac.digest(key, parent.encode(), "sha256")
    return base64.urlsafe_b64encode(child).decode().rstrip("=")


def refresh_hash(token: str) -> str:
    """What is stored: 256 random bits need no salt and no slow hash."""
    return hashlib.sha256(token.encode()).hexdigest()
