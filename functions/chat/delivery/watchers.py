"""Watchers of stored answers on this instance, limited because each one polls the database."""

from collections import Counter
from collections.abc import AsyncGenerator
from functools import partial

from shared import settings
from shared.config import load
from shared.errors import TooManyStreams
from shared.web.ending_stream import EndingStream

_DEVICES = 4  # each may watch as many answers as its user can have open


class Watchers:
    """Open streams of each subject."""

    def __init__(self) -> None:
        self._open_streams: Counter[str] = Counter()

    def admit(self, subject: str, stream: AsyncGenerator[bytes, None]) -> EndingStream:
        """Count the stream as open, from now until it ends, also if it is never read.

        Raises: TooManyStreams.
        """
        limit = _DEVICES * load(settings.Chat).max_streams_per_user
        if self._open_streams[subject] >= limit:
            raise TooManyStreams
        self._open_streams[subject] += 1
        return EndingStream(stream, partial(self._release, subject))

    def _release(self, subject: str) -> None:
        self._open_streams[subject] -= 1
        if not self._open_streams[subject]:
            del self._open_streams[subject]


watchers = Watchers()
