"""New accounts, before they are stored."""

from shared.accounts.passwords import hash_password
from shared.ids import new_id
from shared.repos.users import User
from shared.times import now_ms


def new_user(email: str, username: str | None, password: str) -> User:
    return new_account(email, username, password, "user")


def first_admin(login: str, password: str) -> User:
    """ADMIN_USERNAME may be an e-mail address or a username."""
    if "@" in login:
        return new_account(login, None, password, "admin")
    return new_account(None, login, password, "admin")


def new_account(email: str | None, username: str | None, password: str, role: str) -> User:
    return User(
        id=new_id(),
        email=email,
        username=username,
        password_hash=hash_password(password),
        role=role,
        created_at_ms=now_ms(),
        disabled_at_ms=None,
    )
