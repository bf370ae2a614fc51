"""POST /api/auth/login: log in with an email or username and a password."""

from dataclasses import replace

from pydantic import BaseModel, model_validator

from functions.login.logic import authenticate, better_hash, is_first_admin
from shared import log
from shared.accounts import opening, sessions
from shared.accounts.device_name import device_name
from shared.database.transactions import autocommit, read, transaction
from shared.errors import AppError, WrongCredentials
from shared.limits import rate_limits
from shared.limits.rate_limits import Count
from shared.problems import Problem
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
            raise ValueError(Problem("email or username is required", "请填写邮箱或用户名"))
        return self

    @property
    def login(self) -> str:
        return self.email or self.username or ""


@endpoint("POST", "/api/auth/login", body=Login)
def handler(request: Request) -> Response:
    call = rate_limits.of_address("anonymous", request)
    body = _parsed(request, call)
    with rate_limits.failures(*_limits(request, body.login), calls=[call]):
        if is_first_admin(body.login, body.password):
            _add_first_admin(body)
        user = authenticate(read(users.find_by_login, body.login), body.password)
    user = _with_current_hash(user, body.password)
    return Response.ok(autocommit(sessions.open_session, user, device_name(request)))


def _parsed(request: Request, call: Count) -> Login:
    """Parse the body. A request whose body is refused is counted here, the others later."""
    try:
        return request.parse(Login)
    except AppError:
        rate_limits.take(call)
        raise


def _limits(request: Request, login: str) -> tuple[Count, Count]:
    """Counts for the address, and for the account by the name as sent, also if it is unknown."""
    return (
        rate_limits.of_address("login_address", request),
        rate_limits.of_address("login", request, login),
    )


def _add_first_admin(body: Login) -> None:
    """Add the administrator of the settings, unless the database has an administrator already."""
    if not read(users.has_admin) and not transaction(
        users.add_first_admin, opening.first_admin(body.login, body.password)
    ):
        log.write("error", "first_admin", problem="ADMIN_USERNAME belongs to another account")


def _with_current_hash(user: User, password: str) -> User:
    """Store a hash with the current scheme and cost where the stored hash has older ones.

    Raises: WrongCredentials: the password changed while it was being checked.
    """
    better = better_hash(user, password)
    if not better:
        return user
    if not transaction(users.replace_hash, user.id, old=user.password_hash, new=better):
        raise WrongCredentials
    return replace(user, password_hash=better)
