"""Signals that end a run cleanly: contexts are left, so children end and files are removed."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager


class Ended(BaseException):
    """A signal ended the run; `number` is the signal's."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """Raise Ended at the first SIGINT or SIGTERM, and ignore further ones. Raises: Ended."""
    numbers = (signal.SIGINT, signal.SIGTERM)

    def end(number: int, _: object) -> None:
        for each in numbers:
            signal.signal(each, signal.SIG_IGN)
        raise Ended(number)

    before = {number: signal.signal(number, end) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
