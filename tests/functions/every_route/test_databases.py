"""Every route without a database, and with one that is not migrated."""

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from functions.models import index as models_index
from shared.database import transactions
from shared.database.connection import CONNECT_SECONDS, QUERY_SECONDS
from shared.version import SCHEMA_VERSION
from tests.conftest import Configure
from tests.events import Reply
from tests.functions.every_route.fair_requests import Fair, fair, person
from tests.functions.every_route.routes import ROUTES, Caller, Route
from tests.web import serving

WORKER = "/api/internal/"
HEALTH = {"GET /api/health", "GET /health", "GET /"}
WITHOUT_A_DATABASE = HEALTH | {
    "GET /api/info",
    "GET /api/models",
    "GET /v1/models",
    "GET /v1/models/{model:path}",
    "POST /api/chat",
    "POST /v1/chat/completions",
}


@pytest.fixture
def requests(caller: Caller) -> dict[Route, Fair]:
    """One for each route but that of the worker, which raises instead of answering 503."""
    one, admin = person(), person("admin")
    return {route: fair(route, one, admin) for route in ROUTES if not route.path.startswith(WORKER)}


def outcomes(
    given: Mapping[str, str], requests: Mapping[Route, Fair]
) -> dict[str, tuple[int, str | None]]:
    models_index._cache.cache_clear()  # as in a new instance
    with serving("chat", **given) as web:
        caller = Caller(web)
        return {
            str(route): outcome(
                caller.ask(route, *request.ids, token=request.token, body=request.body)
            )
            for route, request in requests.items()
        }


def outcome(reply: Reply) -> tuple[int, str | None]:
    error = reply.json.get("error")
    return reply.status, error["code"] if isinstance(error, dict) else error


def test_without_a_database_chat_works_and_all_that_needs_one_says_so(
    caller: Caller, configure: Configure, requests: dict[Route, Fair]
) -> None:
    given = {**caller.web.variables, "DATABASE_URL": ""}
    configure(**given)

    found = outcomes(given, requests)

    assert found == {
        name: (200, None) if name in WITHOUT_A_DATABASE else (503, "database_not_configured")
        for name in found
    }


@pytest.mark.parametrize("token", ["", "sk-any"])
def test_without_a_database_no_token_and_no_secret_is_missed(
    token: str, caller: Caller, configure: Configure, requests: dict[Route, Fair]
) -> None:
    given = {**caller.web.variables, "DATABASE_URL": "", "JWT_SECRET": ""}
    configure(**given)
    asked = {route: replace(one, token=token) for route, one in requests.items()}

    found = outcomes(given, asked)

    assert found == {
        name: (200, None) if name in WITHOUT_A_DATABASE else (503, "database_not_configured")
        for name in found
    }


@contextmanager
def schema_of(version: int) -> Iterator[None]:
    """The database as a migration to this version would leave it, as far as its number goes."""

    def renumber(old: int, new: int) -> None:
        sql = "UPDATE schema_migrations SET version = :new WHERE version = :old"
        with closing(transactions.connect(CONNECT_SECONDS, QUERY_SECONDS)) as connection:
            connection.execute(sql, new=new, old=old)

    renumber(SCHEMA_VERSION, version)
    try:
        yield
    finally:
        renumber(version, SCHEMA_VERSION)


NOT_MIGRATED = (503, "database_not_migrated")


def test_an_older_schema_is_named_by_every_route(
    caller: Caller, configure: Configure, requests: dict[Route, Fair]
) -> None:
    configure(**caller.web.variables)
    with schema_of(0):  # the one before the last is the newest now
        found = outcomes(caller.web.variables, requests)

    assert found == {
        name: (200, None) if name == "GET /api/info" else NOT_MIGRATED for name in found
    }


def test_a_newer_schema_is_good(
    caller: Caller, configure: Configure, requests: dict[Route, Fair]
) -> None:
    reading = {route: request for route, request in requests.items() if str(route) in HEALTH}
    configure(**caller.web.variables)
    with schema_of(SCHEMA_VERSION + 1):
        found = outcomes(caller.web.variables, reading)

    assert set(found.values()) == {(200, None)}


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_database_without_tables_is_named_by_every_route_and_used_once_it_is_migrated(
    caller: Caller, configure: Configure, requests: dict[Route, Fair], tmp_path: Path
) -> None:
    from scripts.tooling.database import migrations

    given = {**caller.web.variables, "DATABASE_URL": f"sqlite:///{tmp_path}/empty.db"}
    configure(**given)

    found = outcomes(given, requests)

    assert {name for name, result in found.items() if result != NOT_MIGRATED} == {"GET /api/info"}
    migrations.up()
    health = {route: one for route, one in requests.items() if str(route) in HEALTH}
    assert set(outcomes(given, health).values()) == {(200, None)}


@pytest.mark.parametrize("database", ["mariadb"], indirect=True)
def test_a_table_that_is_missing_is_named(
    caller: Caller, configure: Configure, requests: dict[Route, Fair]
) -> None:
    def rename(old: str, new: str) -> None:
        with closing(transactions.connect(CONNECT_SECONDS, QUERY_SECONDS)) as connection:
            connection.execute(f"ALTER TABLE {old} RENAME TO {new}")

    configure(**caller.web.variables)
    rename("audit_log", "elsewhere")
    try:
        [route] = [one for one in requests if str(one) == "GET /api/admin/audit"]
        found = outcomes(caller.web.variables, {route: requests[route]})
    finally:
        rename("elsewhere", "audit_log")

    assert found == {"GET /api/admin/audit": NOT_MIGRATED}
