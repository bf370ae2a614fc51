"""What people may change about their account, and how they show that it is them. Does no I/O."""

from typing import Literal

from pydantic import BaseModel

from shared.accounts.passwords import matches
from shared.errors import RecentSignInRequired, WrongPassword
from shared.repos.sessions import Session
from shared.repos.users import User
from shared.web.fields import Email, NewPassword, Password, Username

_RECENT_MS = 10 * 60 * 1000


class Change(BaseModel):
    """Another e-mail address is another way in, so it takes the password."""

    username: Username | None = None
    email: Email | None = None
    current_password: Password | None = None


class PasswordChange(BaseModel):
    current_password: Password | None = None
    new_password: NewPassword


class Farewell(BaseModel):
    password: Password | None = None


class Copy(BaseModel):
    format: Literal["json", "zip"] = "json"


def confirm(user: User, session: Session, password: str | None, at_ms: int) -> None:
    """Make sure that it is them, and not somebody who found their phone unlocked.

    An account without a password was signed in to by other means; whoever has
    done that minutes ago can do it again.

    Raises: WrongPassword, RecentSignInRequired.
    """
    if user.password_hash is None:
        if session.created_at_ms < at_ms - _RECENT_MS:
            raise RecentSignInRequired
    elif not password or not matches(password, user.password_hash):
        raise WrongPassword
