"""POST /api/auth/login: trade an email or username and a password for a session."""

from pydantic import BaseModel, model_validator

from functions.login.logic import authenticate, better_hash, is_first_admin
from shared import log
from shared.accounts import opening, sessions
from shared.database.connection import Connection
from shared.database.transactions import read, transaction
from shared.errors import WrongCredentials
from shared.limits import rate_limits
from shared.repos import users
from shared.repos.users import User
from shared.web.endpoint import Request, Response, endpoint
from shared.web.fields import Login, Password


class Credentials(BaseModel):
    email: Login | None = None
    username: Login | None = None
    password: Password

    @model_validator(mode="after")
    def _names_someone(self) -> "Credentials":
        if not self.login:
            raise ValueError("email or username is required")
        return self

    @property
    def login(self) -> str:
        return self.email or self.username or ""


@endpoint("POST", "/api/auth/login", limit=rate_limits.by_address("anonymous"))
def handler(request: Request) -> Response:
    given = request.parse(Credentials)
    with rate_limits.failures(
        rate_limits.of_address("login_address", request),
        rate_limits.of_address("login", request, given.login),  # as given: a user's id would tell
    ):
        if is_first_admin(given.login, given.password):
            _appoint(given)
        user = authenticate(read(users.find_by_login, given.login), given.password)
    better = better_hash(user, given.password)
    return Response.ok(transaction(_open_session, user, better, sessions.device_of(request)))


def _appoint(given: Credentials) -> None:
    """The first administrator is made once; after that the database alone decides who is one."""
    if not read(users.has_admin) and not transaction(
        users.add_first_admin, opening.first_admin(given.login, given.password)
    ):
        log.write("error", "first_admin", problem="ADMIN_USERNAME belongs to another account")


def _open_session(
    db: Connection, user: User, better: str | None, device: str | None
) -> dict[str, object]:
    """A password that was changed while it was being checked opens nothing.

    Raises: WrongCredentials.
    """
    known = user.password_hash or ""
    if not users.replace_hash(db, user.id, old=known, new=better or known):
        raise WrongCredentials
    return sessions.open_for(db, user, device)
