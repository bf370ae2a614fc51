"""POST /api/auth/register: open an account and a first session."""

from pydantic import BaseModel

from shared.accounts import invitations, sessions
from shared.accounts.opening import new_user
from shared.database.connection import Connection
from shared.database.transactions import transaction
from shared.limits import rate_limits
from shared.repos import users
from shared.repos.invites import Invite
from shared.repos.users import User
from shared.web.endpoint import Request, Response, endpoint
from shared.web.fields import Email, InviteCode, NewPassword, Username


class Registration(BaseModel):
    email: Email
    password: NewPassword
    username: Username | None = None
    invite_code: InviteCode | None = None


@endpoint("POST", "/api/auth/register", limit=rate_limits.by_address("anonymous", "register"))
def handler(request: Request) -> Response:
    form = request.parse(Registration)
    invite = invitations.check(form.invite_code)
    user = new_user(form.email, form.username, form.password)
    device = sessions.device_of(request)
    return Response.ok(transaction(_settle_in, user, invite, device), status=201)


def _settle_in(
    db: Connection, user: User, invite: Invite | None, device: str | None
) -> dict[str, object]:
    """The names come last: a taken one is found out after the same work as a free one."""
    users.add_nameless(db, user)
    session = sessions.open_for(db, user, device)
    if invite:
        invitations.redeem(db, invite, user)
    users.name(db, user)
    return session
