"""Connections and transactions over MySQL or an embedded SQLite, one SQL text for both.

SQL names its parameters `:name`. A connection is kept per thread: a built-in
function has one thread and so one connection; a web function runs its database
work in a bounded number of threads.
"""

import random
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

from shared import settings
from shared.config import load
from shared.errors import DatabaseNotConfigured, DatabaseUnavailable

P = ParamSpec("P")
T = TypeVar("T")
# Rows as the database sent them: every value text, in UTF-8.
Batches = Generator[Sequence[Sequence[bytes | None]], None, None]

CONNECT_SECONDS = 2.0
QUERY_SECONDS = 4.0
_KEPT_SECONDS = 30.0  # middle boxes drop idle connections silently; older ones are replaced
_ATTEMPTS = 3
_RETRY_SECONDS = 1.0  # a caller hears within 5 s, the last attempt included
_STREAM_ROWS = 500
BATCH_ROWS, BATCH_BYTES = 500, 256 * 1024


class DatabaseError(Exception):
    """A failure of the database, told apart by what can be done about it."""


class LostConnection(DatabaseError):
    """The connection is gone, and with it whatever was not committed."""


class Unreachable(DatabaseError):
    """No answer in time, no more connections, or a server that is read-only."""


class Contention(DatabaseError):
    """A deadlock, or a lock held too long: the whole transaction may be tried again."""


class DuplicateKey(DatabaseError):
    """A unique key has this value already. `constraint` is its name, such as `uq_users_email`."""

    def __init__(self, constraint: str) -> None:
        super().__init__(constraint)
        self.constraint = constraint


@dataclass(frozen=True)
class Server:
    """What a database says of itself; the size is about that."""

    version: str
    size_bytes: int


class Dialect(Protocol):
    begin: str
    server: str
    snapshot: tuple[str, ...]

    def connect(self, connect_seconds: float, query_seconds: float) -> Any: ...
    def statement(self, sql: str) -> str: ...
    def stream(self, raw: Any) -> Any: ...
    def stream_raw(self, raw: Any) -> Any: ...
    def failure(self, error: Exception) -> DatabaseError | None: ...


class Connection:
    """What a repository speaks to."""

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
        """Yield rows as they come, in constant memory. Nothing else may run meanwhile."""
        cursor = self._run(lambda: self._dialect.stream(self._raw), sql, parameters)
        try:
            while rows := self._translating(lambda: cursor.fetchmany(_STREAM_ROWS)):
                yield from rows
        finally:
            cursor.close()

    def stream_raw(self, sql: str, **parameters: object) -> Batches:
        """Yield rows in batches of a bounded size, none of their values decoded."""
        cursor = self._run(lambda: self._dialect.stream_raw(self._raw), sql, parameters)
        try:
            while rows := self._translating(cursor.fetch_batch):
                yield rows
        finally:
            cursor.close()

    def server(self) -> Server:
        said = self.find_all(dict[str, Any], self._dialect.server)[0]
        return Server(str(said["version"]), int(said["size_bytes"]))

    def begin(self) -> None:
        self.execute(self._dialect.begin)

    def begin_snapshot(self) -> None:
        """All that is read until the end of this transaction is as it is now."""
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
                opened.close()  # or the traceback takes it along, to die in another thread
                raise
            return opened

        return self._translating(run)

    def _translating(self, step: Callable[[], Any]) -> Any:
        try:
            return step()
        except Exception as error:
            failure = self._dialect.failure(error)
            if failure is None:
                raise
            raise failure from error


def transaction(work: Callable[Concatenate[Connection, P], T], *args: P.args, **kw: P.kwargs) -> T:
    """Run `work(connection, ...)` in one transaction, again if it met a deadlock.

    It is a call and not a `with` block because only a call can be run again.
    `work` may therefore run up to three times and must do nothing but SQL.

    Raises:
        DatabaseNotConfigured: this deployment has no database.
        DatabaseUnavailable: it cannot be reached. After a lost connection the
            outcome of the commit is unknown; a unique key makes a retry safe.
    """

    def once() -> T:
        return _committed(_begun(), work, *args, **kw)

    return _reporting(lambda: _retrying(once))


def read(work: Callable[Concatenate[Connection, P], T], *args: P.args, **kw: P.kwargs) -> T:
    """Run `work` without a transaction: reads, which may be repeated on a new connection.

    Raises: DatabaseNotConfigured, DatabaseUnavailable.
    """

    def once() -> T:
        kept = _kept()
        try:
            return work(kept, *args, **kw)
        except LostConnection:
            return work(_renewed(), *args, **kw)

    return _reporting(lambda: _retrying(once))


def autocommit(work: Callable[Concatenate[Connection, P], T], *args: P.args, **kw: P.kwargs) -> T:
    """Run `work` without a transaction: each statement commits by itself, in one round trip.

    After a lost connection it runs again, though it may have had its effect:
    only for what may be counted twice.

    Raises: DatabaseNotConfigured, DatabaseUnavailable.
    """
    return read(work, *args, **kw)


def is_configured() -> bool:
    return load(settings.Database).target is not None


def connect(connect_seconds: float, query_seconds: float) -> Connection:
    """Open a connection of its own, outside the kept ones. Raises: DatabaseError."""
    return Connection(_dialect(), connect_seconds, query_seconds)


@contextmanager
def snapshot(query_seconds: float) -> Iterator[Connection]:
    """Lend a connection of its own that sees the database as it is now, and changes nothing.

    Raises: DatabaseNotConfigured, DatabaseUnavailable.
    """
    connection = _reporting(lambda: connect(CONNECT_SECONDS, query_seconds))
    try:
        _reporting(connection.begin_snapshot)
        yield connection
    except DatabaseError as error:
        raise _unavailable(error) from error
    finally:
        with suppress(Exception):  # what is broken cannot be closed politely
            connection.close()


def is_reachable(seconds: float) -> bool:
    """Open a connection of its own and ask it something; nothing kept can gloss over a fault."""
    try:
        connection = connect(seconds, seconds)
        connection.execute("SELECT 1")
        connection.close()
    except DatabaseError:
        return False
    return True


def disconnect() -> None:
    """Close this thread's kept connection, if there is one."""
    kept: Connection | None = _thread.__dict__.pop("connection", None)
    if kept is not None:
        with suppress(Exception):  # what is broken cannot be closed politely
            kept.close()


_thread = threading.local()


@cache
def _dialect() -> Dialect:
    target = load(settings.Database).target
    if target is None:
        raise DatabaseNotConfigured
    if target.scheme == "sqlite":
        from shared.sqlite import Sqlite

        return Sqlite(target)
    from shared.mysql import MySql

    return MySql(target)


def _kept() -> Connection:
    kept: Connection | None = getattr(_thread, "connection", None)
    if kept is None or time.time() - kept.used_at > _KEPT_SECONDS:
        return _renewed()
    kept.used_at = time.time()
    return kept


def _renewed() -> Connection:
    disconnect()
    _thread.connection = Connection(_dialect())
    connection: Connection = _thread.connection
    return connection


def _begun() -> Connection:
    """BEGIN is also the check that the kept connection still works."""
    kept = _kept()
    try:
        kept.begin()
    except LostConnection:
        kept = _renewed()
        kept.begin()
    return kept


def _committed(
    connection: Connection,
    work: Callable[Concatenate[Connection, P], T],
    *args: P.args,
    **kw: P.kwargs,
) -> T:
    try:
        result = work(connection, *args, **kw)
        connection.commit()
    except BaseException:
        _undo(connection)
        raise
    return result


def _undo(connection: Connection) -> None:
    try:
        connection.rollback()
    except DatabaseError:
        disconnect()


def _retrying(once: Callable[[], T]) -> T:
    """A deadlock shows at once; a lock that was waited for in vain is not waited for again."""
    started = time.monotonic()
    for attempt in range(1, _ATTEMPTS):
        try:
            return once()
        except Contention:
            if time.monotonic() - started > _RETRY_SECONDS:
                raise
            time.sleep(random.uniform(0.01, 0.05) * attempt)  # noqa: S311  # jitter, no secret
    return once()


def _reporting(run: Callable[[], T]) -> T:
    try:
        return run()
    except DuplicateKey:
        raise
    except DatabaseError as error:
        disconnect()
        raise _unavailable(error) from error


def _unavailable(error: DatabaseError) -> DatabaseUnavailable:
    return DatabaseUnavailable(reason=type(error).__name__, code=str(error))
