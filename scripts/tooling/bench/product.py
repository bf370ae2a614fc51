"""The measured product: a database, users, and a process of the chat function."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager

import pymysql

from scripts.tooling.database import migrations
from scripts.tooling.database.mariadb import private_server
from shared import settings
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

_NAME = "bench"
_SAMPLE_SECONDS = 0.05


@contextmanager
def database() -> Iterator[dict[str, str]]:
    """Yield variables for a migrated, empty database; this process gets them as well."""
    with private_server() as server:
        target = settings.database_url(f"{server}/mysql")
        with pymysql.connect(
            host=target.host, port=target.port, user=target.user, password=target.password.reveal()
        ) as connection:
            connection.cursor().execute(f"CREATE DATABASE {_NAME} CHARACTER SET utf8mb4")
        variables = {
            "APP_ENV": "test",
            "DATABASE_URL": f"{server}/{_NAME}",
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
