"""Time limit of a whole call: looking up a name, connecting, sending and reading."""

import contextlib
import queue
import socket
import threading
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class TimeIsUp(Exception):
    """The call did not end in time."""


class Deadline:
    """The moment at which a call must have ended, and the socket that it waits for."""

    def __init__(self, seconds: float) -> None:
        self._ends = time.monotonic() + seconds
        self.socket: socket.socket | None = None

    @property
    def seconds_left(self) -> float:
        return self._ends - time.monotonic()

    def hang_up(self) -> None:
        """End what still reads from the socket."""
        if self.socket is not None:
            with contextlib.suppress(OSError):
                self.socket.shutdown(socket.SHUT_RDWR)


def in_time(seconds: float, work: Callable[[Deadline], T]) -> T:
    """Run the work in a thread, which is left to itself when the time is up.

    Time limits of sockets begin anew with every byte, and looking up a name has none.
    Raises: TimeIsUp, and whatever the work raises.
    """
    deadline = Deadline(seconds)
    outcome: queue.SimpleQueue[tuple[T | None, BaseException | None]] = queue.SimpleQueue()

    def run() -> None:
        try:
            outcome.put((work(deadline), None))
        except BaseException as error:  # noqa: BLE001  # raised again in the caller's thread
            outcome.put((None, error))

    threading.Thread(target=run, daemon=True).start()
    try:
        result, error = outcome.get(timeout=seconds)
    except queue.Empty:
        deadline.hang_up()
        raise TimeIsUp from None
    if error is not None:
        raise error
    return result  # type: ignore[return-value]  # without an error it is the work's result
