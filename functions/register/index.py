"""POST /api/auth/register: create an account and open its first session."""

from pydantic import BaseModel

from shared.accounts import address_quota, invitations, sessions
from shared.accounts.device_name import device_name
from shared.accounts.opening import new_user
from shared.database.connection import Connection, DuplicateKey
from shared.database.transactions import transaction
from shared.errors import OutcomeUnknown
from shared.limits import rate_limits
from shared.repos import users
from shared.repos.invites import Invite
from shared.repos.users import User
from shared.web.endpoint import Request, Response, endpoint
from shared.web.fields import Email, InviteCode, NewPassword, Username


class Register(BaseModel):
    email: Email
    password: NewPassword
    username: Username | None = None
    invite_code: InviteCode | None = None


@endpoint(
    "POST",
    "/api/auth/register",
    body=Register,
    limit=rate_limits.by_address("anonymous", "register", "register_daily"),
)
def handler(request: Request) -> Response:
    body = request.parse(Register)
    invite = invitations.check(body.invite_code)
    user = new_user(body.email, body.username, body.password)
    return Response.ok(_opened(user, invite, device_name(request)), 201)


def _opened(user: User, invite: Invite | None, device: str | None) -> dict[str, object]:
    """If the reply to COMMIT is lost, go on with the account that it may have opened."""
    try:
        return transaction(_add, user, invite, device)
    except OutcomeUnknown as lost:
        try:
            return transaction(_add_again, user, invite, device)
        except DuplicateKey:  # it has just become visible
            raise lost from None


def _add_again(
    db: Connection, user: User, invite: Invite | None, device: str | None
) -> dict[str, object]:
    if users.find(db, user.id):
        return sessions.open_session(db, user, device)
    return _add(db, user, invite, device)


def _add(
    db: Connection, user: User, invite: Invite | None, device: str | None
) -> dict[str, object]:
    """The names are set last, so that a taken name and a free one cost the same work."""
    users.add_nameless(db, user)
    address_quota.continue_used(db, user)
    session = sessions.open_session(db, user, device)
    if invite:
        invitations.redeem(db, invite, user)
    users.name(db, user)
    return session
