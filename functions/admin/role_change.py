"""What becomes of an account's standing: its role, and whether it is disabled. Does no I/O."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Literal

from pydantic import BaseModel, model_validator

from shared.errors import LastAdministrator
from shared.repos.users import User


class Change(BaseModel):
    disabled: bool | None = None
    role: Literal["user", "admin"] | None = None

    @model_validator(mode="after")
    def _changes_something(self) -> "Change":
        if self.disabled is None and self.role is None:
            raise ValueError("disabled or role is required")
        return self


def changed(user: User, wanted: Change, administrators: Sequence[str], at_ms: int) -> User:
    """Return the user as wanted. Raises: LastAdministrator: nobody could undo it."""
    role = wanted.role or user.role
    if wanted.disabled is None:
        after = replace(user, role=role)
    else:
        disabled_at_ms = (user.disabled_at_ms or at_ms) if wanted.disabled else None
        after = replace(user, role=role, disabled_at_ms=disabled_at_ms)
    if list(administrators) == [user.id] and not after.is_admin:
        raise LastAdministrator
    return after


def actions(before: User, after: User) -> Iterator[str]:
    """Under which names the difference goes into the audit log."""
    if before.is_active != after.is_active:
        yield "user.enable" if after.is_active else "user.disable"
    if before.role != after.role:
        yield "user.role"
