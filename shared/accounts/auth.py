"""Authentication: the bearer token, and the session and account in the database."""

from shared import log
from shared.accounts.tokens import Claims, read_access
from shared.database.connection import Connection
from shared.database.transactions import is_configured, read
from shared.errors import DatabaseNotConfigured, Forbidden, InvalidToken, Unauthorized
from shared.repos import users
from shared.repos.users import User
from shared.web.endpoint import Request


def claims_of(request: Request) -> Claims | None:
    """Return what the bearer token claims, or None where there is none.

    Without a database there are no accounts, and a token is not read: OpenAI's SDKs always send
    a key.

    Raises: InvalidToken, TokenExpired.
    """
    token = request.bearer_token
    if token is None or not is_configured():
        return None
    claims = read_access(token)
    request.notes["user"] = log.hashed(claims.user_id)
    return claims


def signed_in(request: Request) -> Claims:
    """Raises: DatabaseNotConfigured, Unauthorized, InvalidToken, TokenExpired."""
    if not is_configured():
        raise DatabaseNotConfigured
    claims = claims_of(request)
    if claims is None:
        raise Unauthorized
    return claims


def active_user(db: Connection, claims: Claims) -> User:
    """Return the user of the token, by one query, so that an ended session counts at once.

    Raises: InvalidToken: the account is deleted or disabled, or the session has ended.
    """
    user = users.find_active(db, claims.user_id, session_id=claims.session_id)
    if user is None:
        raise InvalidToken
    return user


def admitted_administrator(request: Request) -> Claims:
    """Check the role before the request is read; transactions that write check it again.

    Raises: Unauthorized, InvalidToken, TokenExpired, Forbidden.
    """
    claims = signed_in(request)
    read(administrator, claims)
    return claims


def administrator(db: Connection, claims: Claims) -> User:
    """Return the administrator. The role is read from the database, not from the token.

    Raises: InvalidToken, Forbidden.
    """
    user = active_user(db, claims)
    if not user.is_admin:
        raise Forbidden
    return user
