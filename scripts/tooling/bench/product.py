"""The database of a benchmark, and its users."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager

from scripts.tooling.database import migrations
from scripts.tooling.database.mariadb import create_database, private_server
from shared.accounts import tokens
from shared.accounts.tokens import Claims
from shared.database import transactions
from shared.database.connection import Connection
from shared.ids import new_id
from shared.money import charging
from shared.repos import sessions, users
from shared.repos.sessions import Session
from shared.repos.users import User
from shared.times import now_ms, shanghai_day


@contextmanager
def database() -> Iterator[dict[str, str]]:
    """Yield variables for a migrated, empty database; this process gets them as well."""
    with private_server() as server:
        variables = {
            "APP_ENV": "test",
            "DATABASE_URL": create_database(server, "bench"),
            "JWT_SECRET": secrets.token_hex(32),
            "JWT_EXPIRES_IN": "1d",
        }
        os.environ.update(variables)
        migrations.up()
        yield variables
        transactions.disconnect()


def sign_up(count: int) -> list[str]:
    """Add users who have already sent a message today; return their access tokens."""
    return [transactions.transaction(_add_user) for _ in range(count)]


def _add_user(connection: Connection) -> str:
    user = User(new_id(), None, new_id().lower(), None, "user", now_ms(), None)
    users.add(connection, user)
    charging.prepare(connection, user.id, user.id, shanghai_day(now_ms()))
    session = Session(new_id(), user.id, None, now_ms(), now_ms())
    sessions.add(connection, session)
    return tokens.issue_access(Claims(user.id, session.id, "user"))
