"""Signed tokens (JWT, HS256): issued and verified for one audience and one type each.

RFC 7519; RFC 8725, sections 3.1 (fixed algorithm), 3.9 (audience) and 3.11 (type).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jwt

from shared import settings
from shared.config import load
from shared.errors import InvalidToken, TokenExpired
from shared.ids import new_id
from shared.times import now_ms

ISSUER = "fc-ai-backend"
_ALGORITHM = "HS256"
_REQUIRED = ("iss", "aud", "sub", "typ", "iat", "exp", "jti")
_LONGEST = 2048
_NO_CLAIMS: Mapping[str, str] = {}


@dataclass(frozen=True)
class Purpose:
    """The audience and the type of a token; a token for one purpose is invalid for others."""

    audience: str
    type: str


def issue(
    purpose: Purpose, subject: str, seconds: int, claims: Mapping[str, str] = _NO_CLAIMS
) -> str:
    """A token that is valid for so many seconds. Raises: Misconfigured."""
    now = now_ms() // 1000
    payload = {
        "iss": ISSUER,
        "aud": purpose.audience,
        "sub": subject,
        "typ": purpose.type,
        "iat": now,
        "exp": now + seconds,
        "jti": new_id(),
        **claims,
    }
    return jwt.encode(payload, load(settings.Tokens).secret.reveal(), algorithm=_ALGORITHM)


def verify(purpose: Purpose, token: str, claims: Sequence[str] = ()) -> dict[str, Any]:
    """The payload of a valid token, with these claims. Raises: TokenExpired, InvalidToken."""
    secret = load(settings.Tokens).secret.reveal()
    if len(token) > _LONGEST:
        raise InvalidToken
    try:
        payload: dict[str, Any] = jwt.decode(
            token,
            secret,
            algorithms=[_ALGORITHM],
            issuer=ISSUER,
            audience=purpose.audience,
            # Clocks of instances differ, so `iat` may be slightly in the future.
            options={"require": [*_REQUIRED, *claims], "verify_iat": False},
        )
    except jwt.ExpiredSignatureError:
        raise TokenExpired from None
    except (jwt.PyJWTError, ValueError, TypeError):
        raise InvalidToken from None
    if payload["typ"] != purpose.type:
        raise InvalidToken
    return payload
