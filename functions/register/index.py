"""POST /api/auth/register: open an account and a first session."""

from pydantic import BaseModel

from shared import sessions
from shared.accounts import new_user
from shared.db import Connection, transaction
from shared.fields import Email, NewPassword, Username
from shared.http import Request, Response, endpoint
from shared.repos import users
from shared.repos.users import User


class Registration(BaseModel):
    email: Email
    password: NewPassword
    username: Username | None = None


@endpoint("POST", "/api/auth/register")
def handler(request: Request) -> Response:
    form = request.parse(Registration)
    user = new_user(form.email, form.username, form.password)
    return Response.ok(transaction(_settle_in, user, sessions.device_of(request)), status=201)


def _settle_in(db: Connection, user: User, device: str | None) -> dict[str, object]:
    users.add(db, user)
    return sessions.open_for(db, user, device)
