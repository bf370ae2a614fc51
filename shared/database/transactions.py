"""Transactions and reads over kept connections to MySQL or an embedded SQLite.

A connection is kept per thread: a built-in function has one thread and so one
connection; a web function runs its database work in a bounded number of threads.
"""

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from typing import Concatenate, ParamSpec, TypeVar

from shared import settings
from shared.config import load
from shared.database.connection import (
    CONNECT_SECONDS,
    QUERY_SECONDS,
    CommitUnknown,
    Connection,
    Contention,
    DatabaseError,
    Dialect,
    DuplicateKey,
    LostAtBegin,
    LostConnection,
    NotMigrated,
    Unreachable,
    translated,
)
from shared.database.schema import require_current
from shared.errors import (
    DatabaseContention,
    DatabaseNotConfigured,
    DatabaseNotMigrated,
    DatabaseUnavailable,
    OutcomeUnknown,
)

P = ParamSpec("P")
T = TypeVar("T")

_KEPT_SECONDS = 30.0  # proxies drop idle connections silently, so older ones are replaced
_ATTEMPTS = 3
_RETRY_SECONDS = 1.0  # the last attempt included, the client has a response within 5 s


def transaction(work: Callable[Concatenate[Connection, P], T], *args: P.args, **kw: P.kwargs) -> T:
    """Run `work(connection, ...)` in one transaction; after a deadlock, run it again.

    This is a call and not a `with` block because only a call can be run again.
    `work` may therefore run several times and must do nothing but SQL.

    Raises:
        DatabaseNotConfigured: this deployment has no database.
        DatabaseUnavailable: it cannot be reached, or is not migrated. Nothing took effect.
        OutcomeUnknown: the connection was lost during COMMIT, so the transaction may have
            taken effect; a unique key makes a retry safe.
    """

    def once() -> T:
        try:
            return _committed(_kept(), work, *args, **kw)
        except LostAtBegin:
            return _committed(_renewed(), work, *args, **kw)

    return _reporting(lambda: _retrying(once))


def read(work: Callable[Concatenate[Connection, P], T], *args: P.args, **kw: P.kwargs) -> T:
    """Run `work` without a transaction, for reads: they may be repeated on a new connection.

    Raises: DatabaseNotConfigured, DatabaseUnavailable.
    """

    def once() -> T:
        try:
            return _sent(_kept(), work, *args, **kw)
        except LostConnection:
            return _sent(_renewed(), work, *args, **kw)

    return _reporting(lambda: _retrying(once))


def autocommit(work: Callable[Concatenate[Connection, P], T], *args: P.args, **kw: P.kwargs) -> T:
    """Run `work` without a transaction: each statement commits by itself, in one round trip.

    After a lost connection it runs again, although its first run may have had an
    effect, so use it only for work that may take effect twice.

    Raises: DatabaseNotConfigured, DatabaseUnavailable.
    """
    return read(work, *args, **kw)


def is_configured() -> bool:
    return load(settings.Database).target is not None


def connect(connect_seconds: float, query_seconds: float) -> Connection:
    """Open a new connection beside the kept ones, to any schema. Raises: DatabaseError."""
    return Connection(_dialect(), connect_seconds, query_seconds)


@contextmanager
def snapshot(query_seconds: float) -> Iterator[Connection]:
    """Open a connection for a read-only transaction on the database as it is now.

    Raises: DatabaseNotConfigured, DatabaseUnavailable.
    """
    connection = _reporting(lambda: _opened(CONNECT_SECONDS, query_seconds))
    try:
        _reporting(connection.begin_snapshot)
        yield connection
    except DatabaseError as error:
        raise _unavailable(error) from error
    finally:
        with suppress(Exception):  # closing a broken connection raises
            connection.close()


@contextmanager
def exclusive(name: str) -> Iterator[bool]:
    """Hold this database's lock of that name; yield False, without waiting, if it is held.

    The lock has a connection of its own, and ends with it if this process is killed.

    Raises: DatabaseNotConfigured, DatabaseUnavailable.
    """
    dialect = _dialect()
    release = _reporting(lambda: translated(dialect, lambda: dialect.try_lock(name)))
    try:
        yield release is not None
    finally:
        if release is not None:
            with suppress(Exception):  # a broken connection has released it
                release()


def check(seconds: float) -> None:
    """Open and query a new connection; kept ones are not used.

    Raises: DatabaseNotConfigured, DatabaseUnavailable, DatabaseNotMigrated.
    """

    def query() -> None:
        connection = connect(seconds, seconds)
        try:
            require_current(connection)
        finally:
            connection.close()

    _reporting(query)


def disconnect() -> None:
    """Close this thread's kept connection, if there is one."""
    kept: Connection | None = _thread.__dict__.pop("connection", None)
    if kept is not None:
        with suppress(Exception):  # closing a broken connection raises
            kept.close()


_thread = threading.local()


@cache
def _dialect() -> Dialect:
    target = load(settings.Database).target
    if target is None:
        raise DatabaseNotConfigured
    if target.scheme == "sqlite":
        from shared.database.sqlite import Sqlite

        return Sqlite(target)
    from shared.database.mysql import MySql

    return MySql(target)


def _kept() -> Connection:
    kept: Connection | None = getattr(_thread, "connection", None)
    if kept is None or time.time() - kept.used_at > _KEPT_SECONDS:
        return _renewed()
    kept.used_at = time.time()
    return kept


def _renewed() -> Connection:
    disconnect()
    connection = _opened(CONNECT_SECONDS, QUERY_SECONDS)
    _thread.connection = connection
    return connection


def _opened(connect_seconds: float, query_seconds: float) -> Connection:
    """A new connection to a database whose schema is current; it is asked until it is so once."""
    connection = connect(connect_seconds, query_seconds)
    try:
        _require_current_once(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _require_current_once(connection: Connection) -> None:
    dialect = _dialect()
    if not dialect.is_current:
        require_current(connection)
        dialect.is_current = True


def _sent(
    connection: Connection,
    work: Callable[Concatenate[Connection, P], T],
    *args: P.args,
    **kw: P.kwargs,
) -> T:
    try:
        result = work(connection, *args, **kw)
        connection.send()
    except BaseException:
        connection.drop()
        raise
    return result


def _committed(
    connection: Connection,
    work: Callable[Concatenate[Connection, P], T],
    *args: P.args,
    **kw: P.kwargs,
) -> T:
    connection.begin()
    try:
        result = work(connection, *args, **kw)
        connection.send_first()
        _commit(connection)
    except BaseException:
        _undo(connection)
        raise
    return result


def _commit(connection: Connection) -> None:
    try:
        connection.commit()
    except (LostConnection, Unreachable) as error:
        raise CommitUnknown(str(error)) from error


def _undo(connection: Connection) -> None:
    try:
        connection.rollback()
    except DatabaseError:
        disconnect()


def _retrying(once: Callable[[], T]) -> T:
    """Run it again after a deadlock, which shows at once, but not after a lock timeout."""
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
    kinds = {
        Contention: DatabaseContention,
        CommitUnknown: OutcomeUnknown,
        NotMigrated: DatabaseNotMigrated,
    }
    kind = kinds.get(type(error), DatabaseUnavailable)
    return kind(reason=type(error).__name__, code=str(error))
