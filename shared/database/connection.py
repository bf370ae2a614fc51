"""A connection to MySQL or an embedded SQLite, and the classes of its failures.

SQL names its parameters `:name`; one text serves both.
"""

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from shared.database.deferred import Deferred, Result

T = TypeVar("T")
# Rows as the database sent them: every value text, in UTF-8.
Batches = Generator[Sequence[Sequence[bytes | None]], None, None]

CONNECT_SECONDS = 2.0
QUERY_SECONDS = 4.0
BATCH_ROWS, BATCH_BYTES = 500, 256 * 1024
_STREAM_ROWS = 500
_MOST_DEFERRED = 256 * 1024  # characters; servers refuse packets that are too large


class DatabaseError(Exception):
    """A failure of the database; its subclasses differ in the remedy."""


class LostConnection(DatabaseError):
    """The connection is lost, and the open transaction with it."""


class LostAtBegin(LostConnection):
    """Lost with the first round trip of a transaction, which never holds its COMMIT.

    So nothing was committed, and the whole transaction may be run on a new connection.
    """


class Unreachable(DatabaseError):
    """No answer in time, no more connections, or a server that is read-only."""


class NotMigrated(DatabaseError):
    """A table is missing, or the schema is older than the one that this code needs."""


class CommitUnknown(DatabaseError):
    """The reply to COMMIT did not come: the transaction may have taken effect."""


class Contention(DatabaseError):
    """A deadlock or a lock timeout: the whole transaction may be run again."""


class DuplicateKey(DatabaseError):
    """A unique key holds this value already. `constraint` is its name, e.g. `uq_users_email`."""

    def __init__(self, constraint: str) -> None:
        super().__init__(constraint)
        self.constraint = constraint


class MissingValue(DatabaseError):
    """The statement set a column to NULL that must have a value; it changed no row."""


@dataclass(frozen=True)
class Server:
    """The server's version and the approximate size of the database."""

    version: str
    size_bytes: int


class Dialect(Protocol):
    """`run` sends all statements in one round trip, if `has_batches`; the first failure ends it.

    `is_current` becomes true when the schema has been found to be current.
    """

    is_current: bool

    begin: str
    has_batches: bool
    server: str
    snapshot: tuple[str, ...]

    def connect(self, connect_seconds: float, query_seconds: float) -> Any: ...
    def try_lock(self, name: str) -> Callable[[], None] | None: ...
    def statement(self, sql: str) -> str: ...
    def run(self, raw: Any, statements: Sequence[Deferred]) -> Generator[Result, None, None]: ...
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
        self._pending: list[Deferred] = []
        self._pending_size = 0
        self._is_beginning = False

    def execute(self, sql: str, **parameters: object) -> int:
        """Run a statement; return how many rows it matched."""
        return self._run(sql, parameters).matched

    def find(self, record: Callable[..., T], sql: str, **parameters: object) -> T | None:
        """Return the first row as a record, its fields named as the columns."""
        return self._run(sql, parameters).first(record)

    def exists(self, sql: str, **parameters: object) -> bool:
        return bool(self._run(sql, parameters).rows(dict))

    def find_all(self, record: Callable[..., T], sql: str, **parameters: object) -> list[T]:
        return self._run(sql, parameters).rows(record)

    def defer(self, sql: str, **parameters: object) -> Deferred:
        """Run a statement in the round trip of the next one; see `Deferred`."""
        deferred = Deferred(sql, parameters, self.send)
        self._pending.append(deferred)
        self._pending_size += deferred.size
        if self._pending_size > _MOST_DEFERRED or not self._dialect.has_batches:
            self.send()
        return deferred

    def send(self) -> None:
        """Run the deferred statements."""
        pending = self._pending
        self.drop()
        if pending:
            self._translating(lambda: self._send(pending))

    def drop(self) -> None:
        """Forget the deferred statements."""
        self._pending, self._pending_size = [], 0

    def stream(self, sql: str, **parameters: object) -> Iterator[tuple[Any, ...]]:
        """Yield rows in constant memory. No other statement may run until the last row."""
        cursor = self._stream(lambda: self._dialect.stream(self._raw), sql, parameters)
        try:
            while rows := self._translating(lambda: cursor.fetchmany(_STREAM_ROWS)):
                yield from rows
        finally:
            cursor.close()

    def stream_raw(self, sql: str, **parameters: object) -> Batches:
        """Yield rows in batches of a bounded size, with their values as undecoded bytes."""
        cursor = self._stream(lambda: self._dialect.stream_raw(self._raw), sql, parameters)
        try:
            while rows := self._translating(cursor.fetch_batch):
                yield rows
        finally:
            cursor.close()

    def server(self) -> Server:
        row = self.find_all(dict[str, Any], self._dialect.server)[0]
        return Server(str(row["version"]), int(row["size_bytes"]))

    def begin(self) -> None:
        """Begin a transaction with the next statement."""
        self._is_beginning = True
        self.defer(self._dialect.begin)

    def begin_snapshot(self) -> None:
        """Begin a transaction that reads the database as it is now, until its end."""
        for statement in self._dialect.snapshot:
            self.execute(statement)

    def send_first(self) -> None:
        """Run the first statements of a transaction, if none has run: see LostAtBegin."""
        if self._is_beginning and len(self._pending) > 1:
            self.send()

    def commit(self) -> None:
        """Commit in the round trip of the deferred statements, unless it is the first one."""
        self.send_first()
        if self._is_beginning:
            self.rollback()  # the transaction is empty
        else:
            self.execute("COMMIT")

    def rollback(self) -> None:
        self.drop()
        has_begun, self._is_beginning = not self._is_beginning, False
        if has_begun:
            self.execute("ROLLBACK")

    def close(self) -> None:
        self._raw.close()

    def _run(self, sql: str, parameters: dict[str, object]) -> Deferred:
        statement = self.defer(sql, **parameters)
        self.send()
        return statement

    def _send(self, pending: Sequence[Deferred]) -> None:
        """A transaction has begun with its first round trip, also if a statement failed there."""
        try:
            with closing(self._dialect.run(self._raw, pending)) as results:
                for statement, result in zip(pending, results, strict=True):
                    statement.result = result
        except Exception as error:
            if self._is_beginning and isinstance(self._dialect.failure(error), LostConnection):
                raise LostAtBegin(*error.args) from error
            self._is_beginning = False
            raise
        self._is_beginning = False

    def _stream(self, cursor: Callable[[], Any], sql: str, parameters: dict[str, object]) -> Any:
        self.send()

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
    except DatabaseError:
        raise
    except Exception as error:
        failure = dialect.failure(error)
        if failure is None:
            raise
        raise failure from error
