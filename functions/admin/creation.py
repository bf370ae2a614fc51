"""Creating something as an administrator: once for each idempotency key."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import TypeVar

from shared.accounts import auth
from shared.accounts.tokens import Claims
from shared.database.connection import Connection
from shared.limits.idempotency import ClientKey, once
from shared.repos.users import User

Item = TypeVar("Item")


def create_once(
    db: Connection,
    claims: Claims,
    key: ClientKey | None,
    add: Callable[[Connection, User, Item], Mapping[str, object]],
    item: Item,
    secrets: Mapping[str, object] | None = None,
) -> dict[str, object]:
    """Add the item unless the key was used before; return the first answer either way.

    Raises: InvalidToken, Forbidden; as idempotency.once; what `add` raises.
    """
    admin = auth.administrator(db, claims)
    return once(db, admin.id, key, partial(add, db, admin, item), secrets=secrets)
