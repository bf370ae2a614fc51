"""The chat function in its usual configurations, one process for each."""

import itertools
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.conftest import WITHOUT_LIMITS, Configure, migrated_database
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
Kept = Callable[..., WebFunction]


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
        "OPENAI_VISION": "true",
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


@pytest.fixture(scope="session")
def chat_sqlite(sqlite_file: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"sqlite:///{shutil.copy(sqlite_file, tmp_path_factory.mktemp('chat'))}"


@pytest.fixture(scope="session")
def chat_mariadb(mariadb_server: str) -> Iterator[str]:
    with migrated_database(mariadb_server) as url:
        yield url


@pytest.fixture(scope="session", params=["sqlite", "mariadb"])
def chat_database(request: pytest.FixtureRequest) -> str:
    """The URL of a migrated database for chat, the same one in all files."""
    url: str = request.getfixturevalue(f"chat_{request.param}")
    return url


@pytest.fixture(scope="session")
def kept() -> Iterator[Kept]:
    """Start chat with these variables, once; it runs until the last test."""
    with ExitStack() as running:

        @cache
        def start(**given: str) -> WebFunction:
            return running.enter_context(serving("chat", **given))

        yield start


@pytest.fixture(scope="session")
def stored(variables: dict[str, str], chat_database: str, kept: Kept) -> WebFunction:
    """Chat with a database, with guests, and with a large connection pool for races."""
    more = {"DATABASE_URL": chat_database, "GUEST_DAILY_MESSAGES": str(GUEST_LIMIT)}
    return kept(**variables, **more, DATABASE_CONNECTIONS="16")


@pytest.fixture
def sign_up(configure: Configure, variables: dict[str, str], chat_database: str) -> SignUp:
    """Open accounts in the database of `stored`."""
    configure(DATABASE_URL=chat_database, JWT_SECRET=variables["JWT_SECRET"])
    return new_person


@pytest.fixture(scope="session")
def pair_database(mariadb_server: str) -> Iterator[str]:
    with migrated_database(mariadb_server) as url:
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
