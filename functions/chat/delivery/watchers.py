"""Watchers of stored answers on this instance, limited because each one polls the database."""

from collections import Counter
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager
from functools import partial

from shared import settings
from shared.config import load
from shared.errors import TooManyStreams
from shared.web.ending_stream import EndingStream

_DEVICES = 4  # each may watch as many answers as its user can have open


class Watchers:
    """Watchers of each subject: open streams, and requests that wait for a whole answer."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def admit(self, subject: str, stream: AsyncGenerator[bytes, None]) -> EndingStream:
        """Count the stream as open, from now until it ends, also if it is never read.

        Raises: TooManyStreams.
        """
        self._add(subject)
        return EndingStream(stream, partial(self._remove, subject))

    @contextmanager
    def waiting(self, subject: str) -> Iterator[None]:
        """Count one more watcher during the block. Raises: TooManyStreams."""
        self._add(subject)
        try:
            yield
        finally:
            self._remove(subject)

    def _add(self, subject: str) -> None:
        limit = _DEVICES * load(settings.Chat).max_streams_per_user
        if self._counts[subject] >= limit:
            raise TooManyStreams
        self._counts[subject] += 1

    def _remove(self, subject: str) -> None:
        self._counts[subject] -= 1
        if not self._counts[subject]:
            del self._counts[subject]


watchers = Watchers()
