"""The dialect of the embedded SQLite, for local use."""

import os
import re
import sqlite3
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from shared.database.connection import (
    BATCH_BYTES,
    BATCH_ROWS,
    Contention,
    DatabaseError,
    DuplicateKey,
    MissingValue,
    NotMigrated,
    Unreachable,
)
from shared.database.deferred import Deferred, Result
from shared.settings import DatabaseTarget

_LONGEST_WAIT_SECONDS = 30.0


class _Cursor(sqlite3.Cursor):
    """A cursor that waits for the write lock while other writers make progress.

    SQLite polls the lock without a queue, so with many writers one of them can
    wait longer than a statement may take. The lock is only stuck if no writer got
    it in that time. Each writer marks its turn by setting the modification time
    of the database file, which WAL mode itself seldom changes.
    """

    connection: "_Connection"

    def execute(self, sql: str, parameters: Any = ()) -> "_Cursor":
        may_wait = not self.connection.in_transaction
        give_up_at = time.monotonic() + _LONGEST_WAIT_SECONDS
        while True:
            turn = self.connection.last_turn()
            try:
                super().execute(sql, parameters)
                break
            except sqlite3.OperationalError as error:
                has_progress = self.connection.last_turn() != turn
                in_time = time.monotonic() < give_up_at
                if not (may_wait and has_progress and in_time and _is_contention(error)):
                    raise
        if may_wait and (self.connection.in_transaction or self.rowcount > 0):
            self.connection.mark_turn()
        return self


class _Connection(sqlite3.Connection):
    path: Path

    def cursor(self, factory: Any = _Cursor) -> Any:
        return super().cursor(factory)

    def last_turn(self) -> int:
        return self.path.stat().st_mtime_ns

    def mark_turn(self) -> None:
        os.utime(self.path)


class _RawStream(_Cursor):
    """A cursor whose values are bytes, as MySQL sends them."""

    def fetch_batch(self) -> list[list[bytes | None]]:
        rows: list[list[bytes | None]] = []
        size = 0
        while len(rows) < BATCH_ROWS and size < BATCH_BYTES and (row := self.fetchone()):
            values = [None if value is None else str(value).encode() for value in row]
            size += sum(map(len, filter(None, values)))
            rows.append(values)
        return rows


class Sqlite:
    # Taking the write lock first makes writers wait at the start instead of failing later.
    begin = "BEGIN IMMEDIATE"
    has_batches = False  # nothing travels
    server = """
        SELECT 'SQLite ' || sqlite_version() AS version, page_count * page_size AS size_bytes
        FROM pragma_page_count(), pragma_page_size()
    """
    snapshot: tuple[str, ...] = ("BEGIN",)  # in WAL mode the snapshot begins with the first read

    def __init__(self, target: DatabaseTarget) -> None:
        self.is_current = False
        self._path = Path(target.path)

    def connect(self, connect_seconds: float, query_seconds: float) -> Any:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        raw = sqlite3.connect(
            self._path, timeout=query_seconds, isolation_level=None, factory=_Connection
        )
        raw.path = self._path
        raw.execute("PRAGMA journal_mode = WAL")
        raw.execute("PRAGMA foreign_keys = ON")
        return raw

    def try_lock(self, name: str) -> Callable[[], None] | None:
        """Lock an empty database beside this one; return the release, or None if it is locked."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        raw = sqlite3.connect(f"{self._path}-{name}", timeout=0, isolation_level=None)
        try:
            raw.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            raw.close()
            if _is_contention(error):
                return None
            raise
        return raw.close

    def statement(self, sql: str) -> str:
        return sql

    def run(self, raw: Any, statements: Sequence[Deferred]) -> Generator[Result, None, None]:
        for one in statements:
            with closing(raw.cursor()) as cursor:
                cursor.execute(one.sql, one.parameters)
                yield Result.of(cursor)

    def stream(self, raw: Any) -> Any:
        return raw.cursor()

    def stream_raw(self, raw: Any) -> Any:
        return raw.cursor(_RawStream)

    def failure(self, error: Exception) -> DatabaseError | None:
        if not isinstance(error, sqlite3.Error | OSError):
            return None
        message = str(error)
        if message.startswith("UNIQUE constraint failed"):
            return DuplicateKey(_constraint(message))
        if message.startswith("NOT NULL constraint failed"):
            return MissingValue(message)
        if _is_contention(error):
            return Contention(message)
        if message.startswith("no such table"):
            return NotMigrated(message)
        if isinstance(error, sqlite3.OperationalError) and _is_defect(message):
            return None
        if isinstance(error, sqlite3.OperationalError | OSError):
            return Unreachable(message)
        return None


def _is_defect(message: str) -> bool:
    return "no such" in message or "has no column" in message


def _is_contention(error: Exception) -> bool:
    return "locked" in str(error)


def _constraint(message: str) -> str:
    """The key's name, made from the columns in SQLite's message, such as `users.email`."""
    columns = re.findall(r"(\w+)\.(\w+)", message)
    return "_".join(["uq", columns[0][0], *(column for _, column in columns)]) if columns else ""
