"""Changing the role of an account, or disabling it: the rules. Does no I/O."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Literal

from pydantic import BaseModel, model_validator

from shared.errors import LastAdministrator
from shared.problems import Problem
from shared.repos.users import User


class ChangeAccount(BaseModel):
    disabled: bool | None = None
    role: Literal["user", "admin"] | None = None

    @model_validator(mode="after")
    def _changes_something(self) -> "ChangeAccount":
        if self.disabled is None and self.role is None:
            raise ValueError(Problem("disabled or role is required", "请填写 disabled 或 role"))
        return self


def apply(user: User, body: ChangeAccount, administrators: Sequence[str], at_ms: int) -> User:
    """Return the user with the change applied. `administrators` are the ids of all active ones.

    Raises: LastAdministrator: no active administrator would be left.
    """
    role = body.role or user.role
    if body.disabled is None:
        after = replace(user, role=role)
    else:
        disabled_at_ms = (user.disabled_at_ms or at_ms) if body.disabled else None
        after = replace(user, role=role, disabled_at_ms=disabled_at_ms)
    if list(administrators) == [user.id] and not after.is_admin:
        raise LastAdministrator
    return after


def audit_actions(before: User, after: User) -> Iterator[str]:
    """The names under which the difference is recorded in the audit log."""
    if before.is_active != after.is_active:
        yield "user.enable" if after.is_active else "user.disable"
    if before.role != after.role:
        yield "user.role"
