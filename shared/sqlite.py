"""The embedded database of local use."""

import re
import sqlite3
from pathlib import Path
from typing import Any

from shared.connection import (
    BATCH_BYTES,
    BATCH_ROWS,
    Contention,
    DatabaseError,
    DuplicateKey,
    Unreachable,
)
from shared.settings import DatabaseTarget


class _RawStream(sqlite3.Cursor):
    """Values as MySQL would send them."""

    def fetch_batch(self) -> list[list[bytes | None]]:
        rows: list[list[bytes | None]] = []
        size = 0
        while len(rows) < BATCH_ROWS and size < BATCH_BYTES and (row := self.fetchone()):
            values = [None if value is None else str(value).encode() for value in row]
            size += sum(map(len, filter(None, values)))
            rows.append(values)
        return rows


class Sqlite:
    # Taking the write lock first makes two writers wait in line instead of failing half-way.
    begin = "BEGIN IMMEDIATE"
    server = """
        SELECT 'SQLite ' || sqlite_version() AS version, page_count * page_size AS size_bytes
        FROM pragma_page_count(), pragma_page_size()
    """
    snapshot: tuple[str, ...] = ("BEGIN",)  # in WAL mode, from the first read on

    def __init__(self, target: DatabaseTarget) -> None:
        self._path = Path(target.path)

    def connect(self, connect_seconds: float, query_seconds: float) -> Any:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        raw = sqlite3.connect(self._path, timeout=query_seconds, isolation_level=None)
        raw.execute("PRAGMA journal_mode = WAL")
        raw.execute("PRAGMA foreign_keys = ON")
        return raw

    def statement(self, sql: str) -> str:
        return sql

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
        if "locked" in message:
            return Contention(message)
        if isinstance(error, sqlite3.OperationalError) and "no such" in message:
            return None
        if isinstance(error, sqlite3.OperationalError | OSError):
            return Unreachable(message)
        return None


def _constraint(message: str) -> str:
    """SQLite names the columns, `users.email`; our keys are named after them."""
    columns = re.findall(r"(\w+)\.(\w+)", message)
    return "_".join(["uq", columns[0][0], *(column for _, column in columns)]) if columns else ""
