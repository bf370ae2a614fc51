"""Fixtures and hooks of the whole suite."""

import secrets
import shutil
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import hypothesis
import pytest
from pytest_timeout import Settings

from scripts.tooling.database import migrations
from scripts.tooling.database.mariadb import create_database, cursor_on, private_server
from shared import config, settings
from shared.database import transactions

Configure = Callable[..., None]

# Tests send more requests than users, all from one address.
WITHOUT_LIMITS = {variable.names[0]: "0" for variable in config.variables(settings.Limits)}
WITHOUT_LIMITS |= {"UNMETERED_LIMIT": "0", "UNMETERED_TOTAL": "999999/1d"}


# Examples have no time limit.
hypothesis.settings.register_profile(
    "suite", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("suite")

# The first test also waits for fixtures of its module or session: a build, a server, an install.
_PREPARING_SECONDS = 1800


def _limited(item: pytest.Item) -> Generator[None, object, object]:
    limit = Settings(
        _PREPARING_SECONDS, "signal", func_only=False, disable_debugger_detection=False
    )
    item.ihook.pytest_timeout_set_timer(item=item, settings=limit)
    try:
        return (yield)
    finally:
        item.ihook.pytest_timeout_cancel_timer(item=item)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, object, object]:
    """Fail a test whose fixtures hang."""
    return (yield from _limited(item))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, object, object]:
    return (yield from _limited(item))


@pytest.fixture(scope="session")
def mariadb_server() -> Iterator[str]:
    """The base URL of a private MariaDB; started by the first test that needs it."""
    with private_server() as url:
        yield url


@pytest.fixture
def configure(monkeypatch: pytest.MonkeyPatch) -> Iterator[Configure]:
    """Set variables, or remove those given as None, and forget loaded settings.

    Variables of the developer's own environment do not reach a test.
    """
    for section in vars(settings).values():
        if isinstance(section, type) and hasattr(section, "__dataclass_fields__"):
            for variable in config.variables(section):
                for name in variable.names:
                    monkeypatch.delenv(name, raising=False)

    def apply(**variables: str | None) -> None:
        for name, value in variables.items():
            if value is None:
                monkeypatch.delenv(name, raising=False)
            else:
                monkeypatch.setenv(name, value)
        _forget()

    monkeypatch.delenv("NODE_ENV", raising=False)
    apply(APP_ENV="test", JWT_SECRET=secrets.token_hex(32), BCRYPT_COST="4", **WITHOUT_LIMITS)
    yield apply
    _forget()


def _forget() -> None:
    """Forget loaded settings, as in a new process."""
    transactions.disconnect()
    config._loaded.cache_clear()
    transactions._dialect.cache_clear()


@pytest.fixture(params=["sqlite", "mariadb"])
def database(request: pytest.FixtureRequest, configure: Configure, tmp_path: Path) -> Iterator[str]:
    """The URL of a migrated, empty database that DATABASE_URL names; every test runs on both."""
    if request.param == "sqlite":
        migrated = request.getfixturevalue("sqlite_file")
        url = f"sqlite:///{shutil.copy(migrated, tmp_path / 'app.db')}"
        configure(DATABASE_URL=url)
        yield url
        return
    url = request.getfixturevalue("mariadb_database")
    configure(DATABASE_URL=url)
    yield url
    transactions.disconnect()
    _empty(url)


@pytest.fixture(scope="session")
def sqlite_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated, empty database, which each test copies."""
    path = tmp_path_factory.mktemp("migrated") / "app.db"
    _migrate(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def mariadb_database(mariadb_server: str) -> Iterator[str]:
    """One migrated database for the whole run; each test leaves it empty."""
    with migrated_database(mariadb_server) as url:
        yield url


@contextmanager
def migrated_database(server: str) -> Iterator[str]:
    """Make a migrated database on the server, and remove it at the end."""
    name = f"test_{secrets.token_hex(4)}"
    url = create_database(server, name)
    _migrate(url)
    yield url
    with cursor_on(url) as cursor:
        cursor.execute(f"DROP DATABASE {name}")


def _migrate(url: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("APP_ENV", "test")
        patch.setenv("DATABASE_URL", url)
        _forget()
        migrations.up()
        _forget()


def _empty(url: str) -> None:
    with cursor_on(url) as cursor:
        cursor.execute("SHOW TABLES")
        tables = [name for (name,) in cursor.fetchall() if name != "schema_migrations"]
        cursor.execute("SET foreign_key_checks = 0")
        for table in tables:
            cursor.execute(f"DELETE FROM {table}")  # noqa: S608  # the server named it
