"""Statements that this thread's kept connection sends to the database."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest

from shared.database.connection import Connection
from shared.database.deferred import Deferred
from shared.database.transactions import read

_QUESTIONS = "SHOW SESSION STATUS LIKE 'Questions'"


@contextmanager
def sent_statements() -> Iterator[list[str]]:
    """List every statement of the block, BEGIN and COMMIT among them.

    SQLite reports each statement that it runs. MariaDB counts them for the connection,
    which is compared: a statement that bypasses `Connection` would be missed.
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
    send = connection._send

    def recording(pending: Sequence[Deferred]) -> None:
        statements.extend(one.sql for one in pending)
        send(pending)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(connection, "_send", recording)
        yield
