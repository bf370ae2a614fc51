"""Numbered, forward-only migrations: up, status and verify."""

import argparse
import hashlib
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from scripts.tooling.environment import ROOT, local_environment
from shared import settings
from shared.config import load
from shared.database import transactions
from shared.database.connection import CONNECT_SECONDS, Connection, DatabaseError, NotMigrated
from shared.errors import AppError
from shared.times import now_ms

MIGRATIONS = ROOT / "scripts" / "migrations"

_STATEMENT_SECONDS = 3600.0  # a table may have millions of rows
_LOCK_SECONDS = 60

_HISTORY_TABLE = """
    CREATE TABLE IF NOT EXISTS schema_migrations (
        version       INTEGER      NOT NULL,
        name          VARCHAR(100) NOT NULL,
        checksum      CHAR(64)     NOT NULL,
        applied_at_ms BIGINT       NOT NULL,
        CONSTRAINT pk_schema_migrations PRIMARY KEY (version)
    ) /*! ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin */
"""


class MigrationError(Exception):
    """The migrations and the database do not match; the message says where."""


@dataclass(frozen=True)
class Migration:
    version: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.sql.encode()).hexdigest()

    @property
    def statements(self) -> list[str]:
        code = re.sub(r"^\s*--.*$", "", self.sql, flags=re.MULTILINE)
        return [part.strip() for part in re.split(r";\s*$", code, flags=re.M) if part.strip()]


@dataclass(frozen=True)
class Applied:
    version: int
    name: str
    checksum: str


def migrations(folder: Path = MIGRATIONS) -> list[Migration]:
    found = []
    for path in sorted(folder.glob("*.sql")):
        match = re.fullmatch(r"(\d{4})_(\w+)", path.stem)
        if not match:
            raise MigrationError(f"{path.name} must be named 0001_what_it_does.sql")
        found.append(Migration(int(match[1]), match[2], path.read_text("utf-8")))
    if [each.version for each in found] != list(range(1, len(found) + 1)):
        raise MigrationError("migrations must be numbered 0001, 0002, ... without a gap")
    return found


def up(folder: Path = MIGRATIONS) -> list[Migration]:
    """Apply the pending migrations, each process at a time; return those applied.

    DDL commits at once, so after an interruption the same migration runs again
    from its first statement. Every statement must allow that.
    """
    with _connected() as connection, _exclusively(connection):
        connection.execute(_HISTORY_TABLE)
        pending = _pending(migrations(folder), _applied(connection))
        for migration in pending:
            _apply(connection, migration)
        return pending


def status(folder: Path = MIGRATIONS) -> tuple[list[Applied], list[Migration]]:
    with _connected() as connection:
        applied = _applied(connection)
        return applied, _pending(migrations(folder), applied)


def _pending(known: Sequence[Migration], applied: Sequence[Applied]) -> list[Migration]:
    by_version = {migration.version: migration for migration in known}
    for done in applied:
        source = by_version.pop(done.version, None)
        if source is None:
            raise MigrationError(f"{done.version:04}_{done.name} was applied and is gone from here")
        if source.checksum != done.checksum:
            raise MigrationError(f"{done.version:04}_{source.name} was edited after it was applied")
    return sorted(by_version.values(), key=lambda migration: migration.version)


def _applied(connection: Connection) -> list[Applied]:
    try:
        return connection.find_all(
            Applied, "SELECT version, name, checksum FROM schema_migrations ORDER BY version"
        )
    except NotMigrated:
        return []


def _apply(connection: Connection, migration: Migration) -> None:
    for statement in migration.statements:
        _run(connection, statement)
    connection.execute(
        """
        INSERT INTO schema_migrations (version, name, checksum, applied_at_ms)
        VALUES (:version, :name, :checksum, :applied_at_ms)
        """,
        version=migration.version,
        name=migration.name,
        checksum=migration.checksum,
        applied_at_ms=now_ms(),
    )


def _run(connection: Connection, statement: str) -> None:
    """Run a statement; what an interrupted run has already made or dropped is no error."""
    try:
        connection.execute(statement)
    except Exception as error:
        # A table, column or index exists, or is not there to drop: MySQL, "Server Error Message
        # Reference".
        done = {1050, 1060, 1061, 1091}
        words = ("already exists", "duplicate column", "no such index")
        if not _matches(error, codes=done, words=words):
            raise


def _matches(error: Exception, *, codes: set[int], words: tuple[str, ...]) -> bool:
    code = error.args[0] if error.args else None
    return code in codes or any(word in str(error) for word in words)


@contextmanager
def _connected() -> Iterator[Connection]:
    connection = transactions.connect(CONNECT_SECONDS, _STATEMENT_SECONDS)
    try:
        yield connection
    finally:
        connection.close()


@contextmanager
def _exclusively(connection: Connection) -> Iterator[None]:
    """Exclude other migrations: by an advisory lock, or on SQLite by a write transaction."""
    if _is_sqlite():
        connection.begin()
        try:
            yield
            connection.commit()
        except BaseException:
            connection.rollback()
            raise
        return
    get_lock = "SELECT GET_LOCK(CONCAT('migrate:', DATABASE()), :seconds) AS held"
    if connection.find(lambda held: held, get_lock, seconds=_LOCK_SECONDS) != 1:
        raise MigrationError("another migration has been running for a minute")
    yield  # closing the connection releases the lock


def _is_sqlite() -> bool:
    target = load(settings.Database).target
    return target is not None and target.scheme == "sqlite"


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="scripts/migrate", description=__doc__)
    parser.add_argument("verb", choices=["up", "status", "verify"])
    verb = parser.parse_args(arguments).verb
    os.environ.update(local_environment(os.environ))
    try:
        return {"up": _run_up, "status": _run_status, "verify": _run_verify}[verb]()
    except (MigrationError, AppError, DatabaseError) as error:
        print(f"migrate: {_reason(error)}")
        return 1


def _reason(error: Exception) -> str:
    problems = getattr(error, "context", {}).get("problems")
    return "; ".join(problems) if problems else f"{type(error).__name__}: {error}"


def _run_up() -> int:
    applied = up()
    for migration in applied:
        print(f"applied {migration.version:04}_{migration.name}")
    if not applied:
        print("nothing to do")
    return 0


def _run_status() -> int:
    applied, pending = status()
    for done in applied:
        print(f"applied {done.version:04}_{done.name}")
    for migration in pending:
        print(f"pending {migration.version:04}_{migration.name}")
    return 0


def _run_verify() -> int:
    applied, pending = status()
    if pending:
        print(f"verify: {len(pending)} pending, first {pending[0].version:04}_{pending[0].name}")
        return 1
    print(f"verify: {len(applied)} applied, none edited, none pending")
    return 0
