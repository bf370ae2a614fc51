"""Watchers of stored answers on this instance, limited because each one polls the database."""

from collections import Counter
from collections.abc import AsyncGenerator

from shared import settings
from shared.config import load
from shared.errors import TooManyStreams

_DEVICES = 4  # each may watch as many answers as its user can have open


class Watchers:
    """Open streams of each subject."""

    def __init__(self) -> None:
        self._open_streams: Counter[str] = Counter()

    def admit(self, subject: str) -> None:
        """Raises: TooManyStreams."""
        limit = _DEVICES * load(settings.Chat).max_streams_per_user
        if self._open_streams[subject] >= limit:
            raise TooManyStreams

    async def counted(
        self, subject: str, stream: AsyncGenerator[bytes, None]
    ) -> AsyncGenerator[bytes, None]:
        """Count the stream as open until it ends or is closed."""
        self._open_streams[subject] += 1
        try:
            async for event in stream:
                yield event
        finally:
            await stream.aclose()
            self._open_streams[subject] -= 1
            if not self._open_streams[subject]:
                del self._open_streams[subject]


watchers = Watchers()
