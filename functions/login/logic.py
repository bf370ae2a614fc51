"""Checking a login name and a password. Does no I/O."""

import hmac

from shared import settings
from shared.accounts.passwords import (
    hash_password,
    is_outdated,
    is_unfit_for_plain,
    matches,
)
from shared.config import load
from shared.errors import AccountDisabled, WrongCredentials, WrongUnfitCredentials
from shared.repos.users import User


def authenticate(candidate: User | None, password: str) -> User:
    """Return the candidate if the password is theirs and the account is active.

    A missing candidate takes the same time and gives the same answer as a wrong
    password, so that this endpoint does not reveal which accounts exist. Only the
    right password reveals that an account is disabled.

    Raises: WrongCredentials, AccountDisabled.
    """
    fits = matches(password, candidate.password_hash if candidate else None)
    if candidate is None or not fits:
        raise WrongUnfitCredentials if is_unfit_for_plain(password) else WrongCredentials
    if not candidate.is_active:
        raise AccountDisabled
    return candidate


def better_hash(user: User, password: str) -> str | None:
    """A hash with the current scheme and cost, if the stored hash has older ones."""
    if user.password_hash and is_outdated(user.password_hash):
        return hash_password(password)
    return None


def is_first_admin(login: str, password: str) -> bool:
    """Compare with ADMIN_USERNAME and ADMIN_PASSWORD; unset settings match no login."""
    admin = load(settings.FirstAdmin)
    same_name = hmac.compare_digest(login.encode(), admin.username.strip().lower().encode())
    same_password = hmac.compare_digest(password.encode(), admin.password.reveal().encode())
    return bool(admin.username and admin.password) and same_name and same_password
