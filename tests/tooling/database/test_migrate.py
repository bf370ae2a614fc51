"""scripts/migrate: up, status and verify, on SQLite and on MariaDB."""

import os
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import TypeVar

import pytest

from scripts.tooling.database import migrations
from scripts.tooling.database.mariadb import cursor_on
from scripts.tooling.database.migrations import Applied, MigrationError
from scripts.tooling.environment import ROOT
from shared import settings
from shared.config import load
from shared.database import transactions
from shared.database.connection import CONNECT_SECONDS, QUERY_SECONDS, Connection
from tests.conftest import Configure
from tests.patience import HANG_SECONDS

T = TypeVar("T")

ALL = [path.stem for path in sorted((ROOT / "scripts" / "migrations").glob("*.sql"))]


@pytest.fixture(params=["sqlite", "mariadb"])
def fresh(request: pytest.FixtureRequest, configure: Configure, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty database without tables, which DATABASE_URL names."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path}/fresh.db"
        configure(DATABASE_URL=url)
        yield url
        return
    server, name = request.getfixturevalue("mariadb_server"), f"fresh_{secrets.token_hex(4)}"
    _administer(server, f"CREATE DATABASE {name} CHARACTER SET latin1")
    configure(DATABASE_URL=f"{server}/{name}")
    yield f"{server}/{name}"
    transactions.disconnect()
    _administer(server, f"DROP DATABASE {name}")


def _administer(server: str, statement: str) -> None:
    with cursor_on(f"{server}/mysql") as cursor:
        cursor.execute(statement)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with two test migrations."""
    path = tmp_path / "migrations"
    path.mkdir()
    (path / "0001_drugs.sql").write_text(
        "-- What there is.\nCREATE TABLE drugs (id INTEGER NOT NULL);\n"
    )
    (path / "0002_stock.sql").write_text(
        "CREATE TABLE stock (id INTEGER NOT NULL);\n\nCREATE INDEX ix_stock_id ON stock (id);\n"
    )
    return path


def start(url: str, code: str, *arguments: object) -> "subprocess.Popen[str]":
    imports = "import sys; from scripts.tooling.database import migrations"
    return subprocess.Popen(
        [sys.executable, "-c", f"{imports}; {code}", *map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": url, "APP_ENV": "test"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def run(url: str, verb: str) -> tuple[int, str]:
    """Run the command; return its exit code and output."""
    process = start(url, "sys.exit(migrations.main(sys.argv[1:]))", verb)
    said, _ = process.communicate()
    return process.returncode, said


def tables() -> set[str]:
    catalogue = {
        "sqlite": "SELECT name FROM sqlite_master WHERE type = 'table'",
        "mysql": "SELECT table_name AS name FROM information_schema.tables"
        " WHERE table_schema = DATABASE()",
    }
    target = load(settings.Database).target
    assert target is not None
    sql = catalogue[target.scheme]
    return set(ask(lambda connection: connection.find_all(lambda name: str(name), sql)))


def ask(work: Callable[[Connection], T]) -> T:
    """Use the database as a migration does, whatever its schema."""
    with closing(transactions.connect(CONNECT_SECONDS, QUERY_SECONDS)) as connection:
        return work(connection)


def lines(*said: str) -> str:
    return "".join(f"{line}\n" for line in said)


def test_a_fresh_database_is_brought_up_once_and_says_where_it_stands(fresh: str) -> None:
    first = f"verify: {len(ALL)} pending, first {ALL[0]}"

    assert run(fresh, "status") == (0, lines(*(f"pending {name}" for name in ALL)))
    assert run(fresh, "verify") == (1, lines(first))
    assert run(fresh, "up") == (0, lines(*(f"applied {name}" for name in ALL)))
    assert run(fresh, "up") == (0, lines("nothing to do"))
    assert run(fresh, "status") == (0, lines(*(f"applied {name}" for name in ALL)))
    assert run(fresh, "verify") == (
        0,
        lines(f"verify: {len(ALL)} applied, none edited, none pending"),
    )


def test_runners_at_the_same_time_apply_everything_once(fresh: str) -> None:
    runners = [start(fresh, "sys.exit(migrations.main(['up']))") for _ in range(3)]
    said = sorted(runner.communicate()[0] for runner in runners)

    assert [runner.returncode for runner in runners] == [0, 0, 0]
    assert said == [
        lines(*(f"applied {name}" for name in ALL)),
        lines("nothing to do"),
        lines("nothing to do"),
    ]


def test_texts_are_unicode_whatever_the_database_was_made_for(fresh: str) -> None:
    migrations.up()
    name = "药 💊"

    def work(connection: Connection) -> bool:
        connection.execute(
            "INSERT INTO users (id, email, role, created_at_ms) VALUES ('1', :name, 'user', 1)",
            name=name,
        )
        return connection.exists("SELECT id FROM users WHERE email = :name", name=name)

    assert transactions.transaction(work) is True


def test_up_applies_only_what_is_new(fresh: str, folder: Path) -> None:
    later = folder / "0002_stock.sql"
    text = later.read_text()
    later.unlink()
    assert [one.name for one in migrations.up(folder)] == ["drugs"]

    later.write_text(text)
    assert [one.name for one in migrations.up(folder)] == ["stock"]
    assert {"drugs", "stock", "schema_migrations"} <= tables()


def test_an_edited_migration_is_refused_by_name_and_nothing_is_done(
    fresh: str, folder: Path
) -> None:
    migrations.up(folder)
    (folder / "0003_new.sql").write_text("CREATE TABLE new (id INTEGER);\n")
    (folder / "0002_stock.sql").write_text("CREATE TABLE stock (id BIGINT);\n")

    for call in (migrations.up, migrations.status):
        with pytest.raises(MigrationError, match=r"^0002_stock was edited after it was applied$"):
            call(folder)
    assert "new" not in tables()


def test_an_edited_migration_makes_every_verb_fail(fresh: str) -> None:
    migrations.up()
    transactions.transaction(
        lambda connection: connection.execute(
            "UPDATE schema_migrations SET checksum = 'another' WHERE version = 2"
        )
    )
    expected = f"migrate: MigrationError: {ALL[1]} was edited after it was applied"

    for verb in ("up", "status", "verify"):
        assert run(fresh, verb) == (1, lines(expected))


def test_an_applied_migration_that_is_gone_is_refused_by_name(fresh: str, folder: Path) -> None:
    migrations.up(folder)
    (folder / "0002_stock.sql").unlink()

    with pytest.raises(MigrationError, match=r"^0002_stock was applied and is gone from here$"):
        migrations.up(folder)


def test_a_checkout_with_other_line_ends_is_no_edit(fresh: str, folder: Path) -> None:
    migrations.up(folder)
    first = folder / "0001_drugs.sql"
    first.write_bytes(first.read_bytes().replace(b"\n", b"\r\n"))

    assert migrations.up(folder) == []


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("0004_late.sql", "must be numbered 0001, 0002, ... without a gap"),
        ("0002_twin.sql", "must be numbered 0001, 0002, ... without a gap"),
        ("0000_early.sql", "must be numbered 0001, 0002, ... without a gap"),
        ("3_short.sql", r"3_short.sql must be named 0001_what_it_does.sql"),
        ("0003-dash.sql", r"0003-dash.sql must be named 0001_what_it_does.sql"),
        ("notes.sql", r"notes.sql must be named 0001_what_it_does.sql"),
    ],
)
def test_migrations_that_are_misnumbered_are_refused(folder: Path, name: str, problem: str) -> None:
    (folder / name).write_text("SELECT 1;\n")

    with pytest.raises(MigrationError, match=problem):
        migrations.migrations(folder)


def test_a_migration_that_failed_half_way_goes_through_once_the_cause_is_gone(
    fresh: str, folder: Path
) -> None:
    (folder / "0003_shelves.sql").write_text(
        "CREATE TABLE shelves (id INTEGER NOT NULL);\n"
        "ALTER TABLE shelves ADD COLUMN room INTEGER;\n"
        "CREATE INDEX ix_shelves_room ON shelves (room);\n"
        "CREATE INDEX ix_rooms_id ON rooms (id);\n"
    )
    with pytest.raises(Exception, match="rooms"):
        migrations.up(folder)
    assert [one.name for one in migrations.status(folder)[1]][-1:] == ["shelves"]

    ask(lambda connection: connection.execute("CREATE TABLE rooms (id INTEGER)"))

    assert [one.name for one in migrations.up(folder)][-1:] == ["shelves"]
    applied, pending = migrations.status(folder)
    assert ([one.version for one in applied], pending) == ([1, 2, 3], [])


@pytest.mark.parametrize("fresh", ["mariadb"], indirect=True)
def test_a_runner_that_is_killed_leaves_work_that_the_next_one_finishes(
    fresh: str, folder: Path
) -> None:
    (folder / "0003_slow.sql").write_text(
        "CREATE TABLE slow (id INTEGER NOT NULL);\n\nDO SLEEP(1);\n\n"
        "ALTER TABLE slow ADD COLUMN name VARCHAR(20);\n"
    )
    runner = start(fresh, "from pathlib import Path; migrations.up(Path(sys.argv[1]))", folder)
    deadline = time.monotonic() + HANG_SECONDS
    while "slow" not in tables() and time.monotonic() < deadline:
        time.sleep(0.02)
    runner.kill()
    runner.communicate()
    assert migrations.status(folder)[0] == [
        Applied(one.version, one.name, one.checksum) for one in migrations.migrations(folder)[:2]
    ]

    assert [one.name for one in migrations.up(folder)] == ["slow"]
    assert ask(lambda connection: connection.find_all(dict, "SELECT name FROM slow")) == []


@pytest.mark.usefixtures("configure")
def test_a_database_that_is_down_is_one_line() -> None:
    assert run("mysql://me:s3cret@127.0.0.1:1/shop", "up") == (
        1,
        lines("migrate: Unreachable: 2003 ConnectionRefusedError"),
    )


@pytest.mark.usefixtures("configure")
def test_a_database_url_that_is_wrong_is_one_line_without_its_password() -> None:
    code, said = run("postgresql://me:s3cret@db/shop", "up")

    assert code == 1
    assert said == lines(
        "migrate: DATABASE_URL names PostgreSQL, which is not supported; use mysql:// or sqlite:///"
    )
