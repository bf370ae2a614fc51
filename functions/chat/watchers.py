"""Who follows answers on this instance: each asks the database a few times a second."""

from collections import Counter
from collections.abc import AsyncGenerator

from shared import settings
from shared.config import load
from shared.errors import TooManyStreams

_DEVICES = 4  # each of them may follow every answer that its owner can have open


class Watchers:
    """Any number of them would slow down everybody else who talks to this instance."""

    def __init__(self) -> None:
        self._following: Counter[str] = Counter()

    def admit(self, subject: str) -> None:
        """Raises: TooManyStreams."""
        most = _DEVICES * load(settings.Chat).max_streams_per_user
        if self._following[subject] >= most:
            raise TooManyStreams

    async def counted(
        self, subject: str, stream: AsyncGenerator[bytes, None]
    ) -> AsyncGenerator[bytes, None]:
        self._following[subject] += 1
        try:
            async for piece in stream:
                yield piece
        finally:
            await stream.aclose()
            self._following[subject] -= 1
            if not self._following[subject]:
                del self._following[subject]


watchers = Watchers()
