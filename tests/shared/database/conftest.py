"""A MariaDB with administrator access, for tests that provoke failures."""

from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import pytest

from scripts.tooling.database.mariadb import cursor_on
from shared.database import transactions
from tests.conftest import Configure
from tests.fakes.proxy import Proxy, proxy_to

Ask = Callable[..., object]


@pytest.fixture
def server(mariadb_database: str, configure: Configure) -> Iterator[Ask]:
    """A migrated database that DATABASE_URL names; ask(sql) runs SQL as its administrator."""
    configure(DATABASE_URL=mariadb_database)
    with cursor_on(mariadb_database) as cursor:

        def ask(sql: str, *values: object) -> object:
            cursor.execute(sql, values)
            return (cursor.fetchone() or [None])[0]

        yield ask
        transactions.disconnect()
        for table in ("refresh_tokens", "sessions", "users"):
            ask(f"DELETE FROM {table}")  # noqa: S608  # a name of ours


@pytest.fixture
def proxy(server: Ask, mariadb_database: str, configure: Configure) -> Iterator[Proxy]:
    """A proxy in front of the server."""
    parts = urlsplit(mariadb_database)
    with proxy_to(parts.hostname or "", parts.port or 0) as between:
        configure(DATABASE_URL=mariadb_database.replace(f":{parts.port}/", f":{between.port}/"))
        yield between
