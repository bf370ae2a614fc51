"""One time limit for all calls of the storage in a request."""

import time
from collections.abc import Callable
from typing import TypeVar

from shared.errors import StorageUnavailable
from shared.storage.deadline import TimeIsUp, in_time

T = TypeVar("T")

SECONDS = 4.5  # with the database, the client has a response within 5 s


class StorageTime:
    """The time limit of all calls of the storage together. Only the calls count, no other work."""

    def __init__(self, seconds: float = SECONDS) -> None:
        self._left = seconds

    def run(self, call: Callable[[], T]) -> T:
        """Raises: StorageUnavailable, also when the time is up, and what the call raises."""
        started = time.monotonic()
        try:
            return in_time(max(self._left, 0), lambda _: call())
        except TimeIsUp:
            raise StorageUnavailable(reason="TimeIsUp") from None
        finally:
            self._left -= time.monotonic() - started
