"""The chat function in its usual configurations, one process for each."""

import itertools
import os
import secrets
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from scripts.tooling.database.mariadb import create_database, cursor_on
from scripts.tooling.environment import ROOT
from tests.conftest import WITHOUT_LIMITS, Configure
from tests.fakes import upstream
from tests.fakes.upstream import Upstream
from tests.people import Person, new_person
from tests.web import WebFunction, serving

if TYPE_CHECKING:  # see `caller`
    from tests.functions.every_route.routes import Caller

API_KEY = "sk-canary-of-the-api-key"
GUEST_LIMIT = 5


SignUp = Callable[[], Person]
Pair = tuple[WebFunction, WebFunction]


@pytest.fixture(scope="session")
def upstream_server() -> Iterator[Upstream]:
    with upstream.running() as server:
        yield server


@pytest.fixture
def fake(upstream_server: Upstream) -> Upstream:
    """The upstream, with nothing recorded yet."""
    upstream_server.requests.clear()
    upstream_server.abandoned = 0
    upstream_server.released.clear()
    return upstream_server


@pytest.fixture(scope="session")
def variables(upstream_server: Upstream) -> dict[str, str]:
    """The variables of all configurations."""
    return {
        **WITHOUT_LIMITS,
        "JWT_SECRET": secrets.token_hex(32),
        "OPENAI_API_KEY": API_KEY,
        "OPENAI_API_URL": upstream_server.url,
        "OPENAI_MODEL": "test-model",
        "ALLOWED_ORIGINS": "https://app.example.com",
    }


@pytest.fixture
def caller(
    configure: Configure, database: str, upstream_server: Upstream, tmp_path: Path
) -> Iterator["Caller"]:
    """A caller of all routes; it imports all functions."""
    from tests.functions.every_route.routes import Caller

    given = {
        **WITHOUT_LIMITS,
        "JWT_SECRET": secrets.token_hex(32),
        "UPSTREAM_KEYS_SECRET": secrets.token_hex(32),
        "STORAGE_FOLDER": str(tmp_path / "storage"),
        "OPENAI_API_KEY": "sk-test",
        "OPENAI_API_URL": upstream_server.url,
        "OPENAI_MODEL": "test-model",
        "DATABASE_URL": database,
    }
    configure(**given)
    with serving("chat", **given) as web:
        yield Caller(web)


@pytest.fixture(scope="session")
def chat(variables: dict[str, str]) -> Iterator[WebFunction]:
    """Chat without a database: nothing is stored or counted."""
    with serving("chat", **variables) as web:
        yield web


@pytest.fixture(scope="session")
def hasty(variables: dict[str, str]) -> Iterator[WebFunction]:
    """Chat without a database and with short time limits."""
    names = ("CONNECT", "FIRST_BYTE", "IDLE")
    limits = {f"UPSTREAM_{name}_SECONDS": "1" for name in names}
    with serving("chat", **variables, **limits) as web:
        yield web


@pytest.fixture(scope="session", params=["sqlite", "mariadb"])
def chat_database(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The URL of a migrated database for chat."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path_factory.mktemp('chat')}/app.db"
        _migrate(url)
        yield url
        return
    with _mariadb(request.getfixturevalue("mariadb_server")) as url:
        yield url


@contextmanager
def _mariadb(server: str) -> Iterator[str]:
    name = f"chat_{secrets.token_hex(4)}"
    url = create_database(server, name)
    _migrate(url)
    yield url
    with cursor_on(url) as cursor:
        cursor.execute(f"DROP DATABASE {name}")


@pytest.fixture(scope="session")
def stored(variables: dict[str, str], chat_database: str) -> Iterator[WebFunction]:
    """Chat with a database, with guests, and with a large connection pool for races."""
    more = {"DATABASE_URL": chat_database, "GUEST_DAILY_MESSAGES": str(GUEST_LIMIT)}
    with serving("chat", **variables, **more, DATABASE_CONNECTIONS="16") as web:
        yield web


@pytest.fixture
def sign_up(configure: Configure, variables: dict[str, str], chat_database: str) -> SignUp:
    """Open accounts in the database of `stored`."""
    configure(DATABASE_URL=chat_database, JWT_SECRET=variables["JWT_SECRET"])
    return new_person


@pytest.fixture(scope="session")
def pair_database(mariadb_server: str) -> Iterator[str]:
    with _mariadb(mariadb_server) as url:
        yield url


@pytest.fixture(scope="session")
def pair(variables: dict[str, str], pair_database: str) -> Iterator[Pair]:
    """Two instances of chat on one MariaDB, with short time limits and large pools for races."""
    limits = {f"UPSTREAM_{name}_SECONDS": "3" for name in ("FIRST_BYTE", "IDLE")}
    more = {"DATABASE_CONNECTIONS": "16", "MAX_STREAMS_PER_USER": "100"}
    given = {**variables, **limits, **more, "DATABASE_URL": pair_database}
    with serving("chat", **given) as one, serving("chat", **given) as other:
        yield one, other


@pytest.fixture
def join(configure: Configure, variables: dict[str, str], pair_database: str) -> SignUp:
    """Open accounts in the database of `pair`."""
    configure(DATABASE_URL=pair_database, JWT_SECRET=variables["JWT_SECRET"])
    return new_person


_numbers = itertools.count(1)


@pytest.fixture
def guest_ip() -> str:
    """An unused address for a guest."""
    number = next(_numbers)
    return f"198.51.{number // 250}.{number % 250 + 1}"


def _migrate(url: str) -> None:
    """Migrate in another process, because this one may have loaded settings of another database."""
    code = "from scripts.tooling.database import migrations; migrations.up()"
    command = [sys.executable, "-c", code]
    environment = {**os.environ, "APP_ENV": "test", "DATABASE_URL": url}
    subprocess.run(command, cwd=ROOT, env=environment, check=True)
