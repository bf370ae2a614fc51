"""A connection to MySQL or an embedded SQLite, and the classes of its failures.

SQL names its parameters `:name`; one text serves both.
"""

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

T = TypeVar("T")
# Rows as the database sent them: every value text, in UTF-8.
Batches = Generator[Sequence[Sequence[bytes | None]], None, None]

CONNECT_SECONDS = 2.0
QUERY_SECONDS = 4.0
BATCH_ROWS, BATCH_BYTES = 500, 256 * 1024
_STREAM_ROWS = 500


class DatabaseError(Exception):
    """A failure of the database; its subclasses differ in the remedy."""


class LostConnection(DatabaseError):
    """The connection is lost, and the open transaction with it."""


class Unreachable(DatabaseError):
    """No answer in time, no more connections, or a server that is read-only."""


class CommitUnknown(DatabaseError):
    """The reply to COMMIT did not come: the transaction may have taken effect."""


class Contention(DatabaseError):
    """A deadlock or a lock timeout: the whole transaction may be run again."""


class DuplicateKey(DatabaseError):
    """A unique key holds this value already. `constraint` is its name, e.g. `uq_users_email`."""

    def __init__(self, constraint: str) -> None:
        super().__init__(constraint)
        self.constraint = constraint


@dataclass(frozen=True)
class Server:
    """The server's version and the approximate size of the database."""

    version: str
    size_bytes: int


class Dialect(Protocol):
    begin: str
    server: str
    snapshot: tuple[str, ...]

    def connect(self, connect_seconds: float, query_seconds: float) -> Any: ...
    def try_lock(self, name: str) -> Callable[[], None] | None: ...
    def statement(self, sql: str) -> str: ...
    def stream(self, raw: Any) -> Any: ...
    def stream_raw(self, raw: Any) -> Any: ...
    def failure(self, error: Exception) -> DatabaseError | None: ...


class Connection:
    """The connection that modules of shared/repos run their SQL on."""

    def __init__(
        self,
        dialect: Dialect,
        connect_seconds: float = CONNECT_SECONDS,
        query_seconds: float = QUERY_SECONDS,
    ) -> None:
        self._dialect = dialect
        self._raw = self._translating(lambda: dialect.connect(connect_seconds, query_seconds))
        self.used_at = time.time()

    def execute(self, sql: str, **parameters: object) -> int:
        """Run a statement; return how many rows it matched."""
        cursor = self._run(self._raw.cursor, sql, parameters)
        matched: int = cursor.rowcount
        cursor.close()
        return matched

    def find(self, record: Callable[..., T], sql: str, **parameters: object) -> T | None:
        """Return the first row as a record, its fields named as the columns."""
        return next(iter(self.find_all(record, sql, **parameters)), None)

    def exists(self, sql: str, **parameters: object) -> bool:
        return bool(self.find_all(dict, sql, **parameters))

    def find_all(self, record: Callable[..., T], sql: str, **parameters: object) -> list[T]:
        cursor = self._run(self._raw.cursor, sql, parameters)
        names = [column[0] for column in cursor.description]
        rows = [record(**dict(zip(names, row, strict=True))) for row in cursor.fetchall()]
        cursor.close()
        return rows

    def stream(self, sql: str, **parameters: object) -> Iterator[tuple[Any, ...]]:
        """Yield rows in constant memory. No other statement may run until the last row."""
        cursor = self._run(lambda: self._dialect.stream(self._raw), sql, parameters)
        try:
            while rows := self._translating(lambda: cursor.fetchmany(_STREAM_ROWS)):
                yield from rows
        finally:
            cursor.close()

    def stream_raw(self, sql: str, **parameters: object) -> Batches:
        """Yield rows in batches of a bounded size, with their values as undecoded bytes."""
        cursor = self._run(lambda: self._dialect.stream_raw(self._raw), sql, parameters)
        try:
            while rows := self._translating(cursor.fetch_batch):
                yield rows
        finally:
            cursor.close()

    def server(self) -> Server:
        row = self.find_all(dict[str, Any], self._dialect.server)[0]
        return Server(str(row["version"]), int(row["size_bytes"]))

    def begin(self) -> None:
        self.execute(self._dialect.begin)

    def begin_snapshot(self) -> None:
        """Begin a transaction that reads the database as it is now, until its end."""
        for statement in self._dialect.snapshot:
            self.execute(statement)

    def commit(self) -> None:
        self.execute("COMMIT")

    def rollback(self) -> None:
        self.execute("ROLLBACK")

    def close(self) -> None:
        self._raw.close()

    def _run(self, cursor: Callable[[], Any], sql: str, parameters: dict[str, object]) -> Any:
        def run() -> Any:
            opened = cursor()
            try:
                opened.execute(self._dialect.statement(sql), parameters)
            except BaseException:
                opened.close()  # or the traceback keeps it alive until another thread frees it
                raise
            return opened

        return self._translating(run)

    def _translating(self, step: Callable[[], Any]) -> Any:
        return translated(self._dialect, step)


def translated(dialect: Dialect, step: Callable[[], T]) -> T:
    """Run the step. Raises: DatabaseError, for the failures of the driver."""
    try:
        return step()
    except Exception as error:
        failure = dialect.failure(error)
        if failure is None:
            raise
        raise failure from error
