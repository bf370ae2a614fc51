"""POST /api/auth/login: log in with an email or username and a password."""

from pydantic import BaseModel, model_validator

from functions.login.logic import authenticate, better_hash, is_first_admin
from shared import log
from shared.accounts import opening, sessions
from shared.accounts.device_name import device_name
from shared.database.connection import Connection
from shared.database.transactions import read, transaction
from shared.errors import WrongCredentials
from shared.limits import rate_limits
from shared.repos import users
from shared.repos.users import User
from shared.web.endpoint import Request, Response, endpoint
from shared.web.fields import Login as LoginName
from shared.web.fields import Password


class Login(BaseModel):
    email: LoginName | None = None
    username: LoginName | None = None
    password: Password

    @model_validator(mode="after")
    def _has_name(self) -> "Login":
        if not self.login:
            raise ValueError("email or username is required")
        return self

    @property
    def login(self) -> str:
        return self.email or self.username or ""


@endpoint("POST", "/api/auth/login", limit=rate_limits.by_address("anonymous"))
def handler(request: Request) -> Response:
    body = request.parse(Login)
    with rate_limits.failures(
        rate_limits.of_address("login_address", request),
        rate_limits.of_address(
            "login", request, body.login
        ),  # by the name as sent, so that unknown names are counted like known ones
    ):
        if is_first_admin(body.login, body.password):
            _add_first_admin(body)
        user = authenticate(read(users.find_by_login, body.login), body.password)
    better = better_hash(user, body.password)
    return Response.ok(transaction(_open_session, user, better, device_name(request)))


def _add_first_admin(body: Login) -> None:
    """Add the administrator of the settings, unless the database has an administrator already."""
    if not read(users.has_admin) and not transaction(
        users.add_first_admin, opening.first_admin(body.login, body.password)
    ):
        log.write("error", "first_admin", problem="ADMIN_USERNAME belongs to another account")


def _open_session(
    db: Connection, user: User, better: str | None, device: str | None
) -> dict[str, object]:
    """Open a session, and store the better hash if there is one.

    Raises: WrongCredentials: the password changed while it was being checked.
    """
    if not users.lock_unchanged(db, user):
        raise WrongCredentials
    if better:
        users.set_hash(db, user.id, better)
    return sessions.open_session(db, user, device)
