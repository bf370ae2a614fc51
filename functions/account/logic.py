"""Request models of the account endpoints, and how a user confirms a change. Does no I/O."""

from typing import Literal

from pydantic import BaseModel

from shared.accounts.passwords import is_unfit_for_plain, matches
from shared.errors import RecentSignInRequired, WrongPassword, WrongUnfitPassword
from shared.repos.sessions import Session
from shared.repos.users import User
from shared.web.fields import Email, NewPassword, Password, Username

_RECENT_MS = 10 * 60 * 1000


class ChangeProfile(BaseModel):
    """A new e-mail address needs the password, because it can be used to log in."""

    username: Username | None = None
    email: Email | None = None
    current_password: Password | None = None


class ChangePassword(BaseModel):
    current_password: Password | None = None
    new_password: NewPassword


class DeleteAccount(BaseModel):
    password: Password | None = None


class OwnDataQuery(BaseModel):
    format: Literal["json", "zip"] = "json"


def confirm(user: User, session: Session, password: str | None, at_ms: int) -> None:
    """Check the password again, in case the session is used by another person.

    An account without a password needs a session that began a few minutes ago.

    Raises: WrongPassword, RecentSignInRequired.
    """
    if user.password_hash is None:
        if session.created_at_ms < at_ms - _RECENT_MS:
            raise RecentSignInRequired
    elif not password:
        raise WrongPassword
    elif not matches(password, user.password_hash):
        raise WrongUnfitPassword if is_unfit_for_plain(password) else WrongPassword
