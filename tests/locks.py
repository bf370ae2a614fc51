"""Transactions that hold their locks, and requests that wait for them."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar

from shared.database import transactions
from shared.database.connection import Connection
from shared.database.transactions import read
from tests.patience import HANG_SECONDS
from tests.web import eventually

Result = TypeVar("Result")

# information_schema.innodb_trx is no help: it shows an old state while it is read often.
_LOCK_WAITS = """
    SELECT variable_value
    FROM information_schema.global_status
    WHERE variable_name = 'Innodb_row_lock_current_waits'
"""


class Submit(Protocol):
    def __call__(self, request: Callable[[], Result], /) -> "Future[Result]": ...


@contextmanager
def held() -> Iterator[Connection]:
    """A transaction on a connection of its own."""
    connection = transactions.connect(HANG_SECONDS, HANG_SECONDS)
    try:
        connection.begin()
        yield connection
    finally:
        connection.close()


@contextmanager
def waiting_thread() -> Iterator[Submit]:
    """Submit a request to a thread, which closes its connection at the end."""
    with ThreadPoolExecutor(1) as pool:
        try:
            yield pool.submit
        finally:
            pool.submit(transactions.disconnect).result(HANG_SECONDS)


def wait_for_lock(database: str, request: "Future[Any]") -> None:
    """Wait until the request waits for a lock, or has ended; SQLite does not show the lock."""
    if not database.startswith("sqlite"):
        eventually(lambda: request.done() or read(_lock_waits))


def _lock_waits(db: Connection) -> int:
    [waits] = db.find_all(lambda variable_value: int(variable_value), _LOCK_WAITS)
    return waits
