"""The dialect of MySQL 8 and MariaDB, on PyMySQL."""

import re
import ssl
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from functools import cache
from typing import Any

import pymysql
from pymysql.constants import CLIENT, ER
from pymysql.cursors import SSCursor

from shared.database.connection import (
    BATCH_BYTES,
    BATCH_ROWS,
    CONNECT_SECONDS,
    QUERY_SECONDS,
    Contention,
    DatabaseError,
    DuplicateKey,
    LostConnection,
    MissingValue,
    NotMigrated,
    Unreachable,
)
from shared.database.deferred import Deferred, Result
from shared.database.mysql_rows import Row, RowReader
from shared.settings import DatabaseTarget

# The server's lock timeout is shorter than our query timeout. Managed servers may have READ
# COMMITTED as their default, where the snapshot of an export would change while it is read.
_SESSION = (
    "SET sql_mode = 'STRICT_ALL_TABLES,ONLY_FULL_GROUP_BY,NO_ENGINE_SUBSTITUTION',"
    " time_zone = '+00:00', innodb_lock_wait_timeout = 3;"
    "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ"
)

_LOCK_NAME = "CONCAT(%(name)s, '.', MD5(DATABASE()))"

# Client error codes 2000 and above: MySQL manual, "Client Error Message Reference".
_SERVER_GONE, _SERVER_LOST, _NOT_IN_SYNC, _SERVER_LOST_EXTENDED = 2006, 2013, 2014, 2055
_CONNECTION_KILLED = 1927  # MariaDB only
_LOST = {
    _SERVER_GONE,
    _SERVER_LOST,
    _NOT_IN_SYNC,
    _SERVER_LOST_EXTENDED,
    _CONNECTION_KILLED,
    ER.SERVER_SHUTDOWN,
}
_NULL_REFUSED = {ER.BAD_NULL_ERROR, 3673}  # 3673: MySQL 8.0 (ER_BAD_NULL_ERROR_NOT_IGNORED)
_CONTENTION = {ER.LOCK_DEADLOCK, ER.LOCK_WAIT_TIMEOUT}
_CANNOT_CONNECT, _REFUSED, _UNKNOWN_HOST, _TLS_FAILED = 2002, 2003, 2005, 2026
_TOO_MANY_USER_CONNECTIONS, _READ_ONLY_MODE = 1203, 1836
_UNREACHABLE = {
    _CANNOT_CONNECT,
    _REFUSED,
    _UNKNOWN_HOST,
    _TLS_FAILED,
    _SERVER_LOST,
    _TOO_MANY_USER_CONNECTIONS,
    _READ_ONLY_MODE,
    ER.CON_COUNT_ERROR,
    ER.USER_LIMIT_REACHED,
    ER.HOST_IS_BLOCKED,
    ER.HOST_NOT_PRIVILEGED,
    ER.OPTION_PREVENTS_STATEMENT,  # --read-only, while RDS switches over
    ER.QUERY_INTERRUPTED,
    ER.ACCESS_DENIED_ERROR,
    ER.DBACCESS_DENIED_ERROR,
    ER.BAD_DB_ERROR,
}


class _Connection(pymysql.connections.Connection):
    """A connection with a shared TLS context: PyMySQL 1.2 loads the CA store each time (30 ms)."""

    def _create_ssl_ctx(self, sslp: object) -> ssl.SSLContext:
        return sslp if isinstance(sslp, ssl.SSLContext) else _tls_context(verify=False)


class _Stream(SSCursor):
    """A streaming cursor. Closed early, it closes the connection instead of reading all rows."""

    def close(self) -> None:
        cursor: Any = self  # its type stub leaves the result out
        if cursor.connection is not None and cursor._result and cursor._result.unbuffered_active:
            cursor._result.unbuffered_active = False
            cursor.connection.close()
            cursor.connection = None
        super().close()

    __del__ = close


class _RawStream(_Stream):
    """A streaming cursor over undecoded values."""

    _reader: RowReader | None = None

    def fetch_batch(self) -> list[Row]:
        cursor: Any = self
        self._reader = self._reader or RowReader(cursor._result)
        return self._reader.read(BATCH_ROWS, BATCH_BYTES)


@cache
def _tls_context(*, verify: bool) -> ssl.SSLContext:
    """A TLS context; without verification it does not load the CA store."""
    if not verify:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context
    context = ssl.create_default_context()
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT  # certificates MySQL makes itself fail it
    return context


class MySql:
    begin = "START TRANSACTION"
    has_batches = True
    server = """
        SELECT VERSION() AS version, COALESCE(SUM(data_length + index_length), 0) AS size_bytes
        FROM information_schema.tables
        WHERE table_schema = DATABASE()
    """
    # Readers may be slow, because they write to targets with time limits of their own.
    snapshot: tuple[str, ...] = (
        "SET net_write_timeout = 600",
        "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
    )

    def __init__(self, target: DatabaseTarget) -> None:
        self.is_current = False
        self._target = target

    def connect(self, connect_seconds: float, query_seconds: float) -> Any:
        """Raises: LostConnection; Unreachable: the server or the driver refuses."""
        try:
            return self._connected(connect_seconds, query_seconds)
        except (pymysql.MySQLError, RuntimeError, OSError) as error:
            failure = self.failure(error)
            is_lost = isinstance(failure, LostConnection)
            raise (failure if failure and is_lost else Unreachable(_reason(error))) from error

    def _connected(self, connect_seconds: float, query_seconds: float) -> _Connection:
        target = self._target
        required = target.tls in {"required", "verify_identity"}
        return _Connection(
            host=target.host,
            port=target.port,
            user=target.user,
            password=target.password.reveal(),
            database=target.name,
            charset="utf8mb4",
            autocommit=True,
            # Rows matched, as SQLite counts them; and deferred statements together.
            client_flag=CLIENT.FOUND_ROWS | CLIENT.MULTI_STATEMENTS,
            init_command=_SESSION,
            connect_timeout=connect_seconds,
            read_timeout=query_seconds,
            write_timeout=query_seconds,
            ssl=_tls_context(verify=target.tls == "verify_identity") if required else None,
            ssl_disabled=target.tls == "disabled",
        )

    def try_lock(self, name: str) -> Callable[[], None] | None:
        """Take a named lock on a new connection; return its release, or None if it is held.

        Locks are the server's, so their names have the database. The server closes the
        connection of a client that vanished after `wait_timeout`.
        """
        raw = self.connect(CONNECT_SECONDS, QUERY_SECONDS)

        def ask(function: str) -> bool:
            with raw.cursor() as cursor:
                cursor.execute(f"SELECT {function}", {"name": name})
                return bool(cursor.fetchone()[0])

        def release() -> None:
            with closing(raw):
                ask(f"RELEASE_LOCK({_LOCK_NAME})")

        try:
            with raw.cursor() as cursor:
                cursor.execute("SET wait_timeout = 120")
            if ask(f"GET_LOCK({_LOCK_NAME}, 0)"):
                return release
        except BaseException:
            raw.close()
            raise
        raw.close()
        return None

    def statement(self, sql: str) -> str:
        return _statement(sql)

    def run(self, raw: Any, statements: Sequence[Deferred]) -> Generator[Result, None, None]:
        """Send the statements as one; the server runs them in order, until one fails."""
        with closing(raw.cursor()) as cursor:
            bound = [cursor.mogrify(_statement(one.sql), one.parameters) for one in statements]
            cursor.execute(";".join(bound))
            yield Result.of(cursor)
            while cursor.nextset():
                yield Result.of(cursor)

    def stream(self, raw: Any) -> Any:
        """A cursor that leaves rows on the server until they are fetched."""
        return raw.cursor(_Stream)

    def stream_raw(self, raw: Any) -> Any:
        return raw.cursor(_RawStream)

    def failure(self, error: Exception) -> DatabaseError | None:
        if not isinstance(error, pymysql.MySQLError | OSError):
            return None
        code = error.args[0] if error.args else 0
        if code == ER.DUP_ENTRY:
            return DuplicateKey(_constraint(str(error.args[1])))
        if code in _NULL_REFUSED:
            return MissingValue(code)
        if code in _CONTENTION:
            return Contention(code)
        if code == ER.NO_SUCH_TABLE:
            return NotMigrated(f"{code} {error.args[1]}")
        if isinstance(error, pymysql.InterfaceError) or (code in _LOST and not _timed_out(error)):
            return LostConnection(code)
        if code in _UNREACHABLE or isinstance(error, OSError):
            return Unreachable(code)
        return None


def _reason(error: Exception) -> str:
    """The code of a refused connection, and what lies behind it; never a text of the server."""
    if isinstance(error, RuntimeError) and "cryptography" in str(error):
        return (
            "RuntimeError: without the package cryptography, a user with caching_sha2_password"
            " needs TLS: ssl-mode=required"
        )
    cause = getattr(error, "original_exception", None)
    code = error.args[0] if error.args else None
    if not isinstance(code, int):
        return type(error).__name__
    return f"{code} {type(cause).__name__}" if cause else str(code)


@cache
def _statement(sql: str) -> str:
    """The statement with PyMySQL's `%(name)s` for every `:name`, and with MySQL's upsert."""
    sql = re.sub(r"ON CONFLICT \([^)]*\) DO UPDATE SET", "ON DUPLICATE KEY UPDATE", sql)
    sql = re.sub(r"\bexcluded\.(\w+)", r"VALUES(\1)", sql)
    return re.sub(r"(?<![:\w]):([a-z_][a-z0-9_]*)", r"%(\1)s", sql.replace("%", "%%"))


def _constraint(message: str) -> str:
    """The key's name: MySQL 8 writes 'users.uq_users_email', MariaDB 'uq_users_email'."""
    match = re.search(r"for key '(?:[^'.]*\.)?([^'.]+)'$", message)
    return match[1] if match else ""


def _timed_out(error: BaseException) -> bool:
    cause = error.__cause__ or error.__context__
    return isinstance(cause, TimeoutError)
