"""Statements that this thread's kept connection sends to the database."""

from collections.abc import Iterator
from contextlib import contextmanager

from shared.database.connection import Connection
from shared.database.transactions import read

_QUESTIONS = "SHOW SESSION STATUS LIKE 'Questions'"


@contextmanager
def sent_statements() -> Iterator[list[str]]:
    """List every statement of the block, BEGIN and COMMIT among them.

    SQLite reports each statement that it runs. MariaDB counts them for the connection,
    which is compared: a statement that bypasses `Connection.execute` would be missed.
    """
    statements = list[str]()
    connection = read(lambda db: db)
    with _recorded(connection, statements):
        before = _questions(connection)
        statements.clear()
        yield statements
        listed = len(statements)
        assert _questions(connection) - before in (0, listed + 1)  # its own question is one
        assert read(lambda db: db) is connection, "another connection took its place"
        del statements[listed:]


def _questions(connection: Connection) -> int:
    """0 for SQLite, which counts nothing."""
    if hasattr(connection._raw, "set_trace_callback"):
        return 0
    [row] = connection.find_all(dict[str, str], _QUESTIONS)
    return int(row["Value"])


@contextmanager
def _recorded(connection: Connection, statements: list[str]) -> Iterator[None]:
    raw = connection._raw
    if hasattr(raw, "set_trace_callback"):
        raw.set_trace_callback(statements.append)
        try:
            yield
        finally:
            raw.set_trace_callback(None)
        return
    query = raw.query

    def recording(sql: str | bytes, *more: object) -> object:
        statements.append(sql if isinstance(sql, str) else sql.decode())
        return query(sql, *more)

    raw.query = recording
    try:
        yield
    finally:
        del raw.query
