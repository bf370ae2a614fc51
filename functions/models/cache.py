"""What was looked up last, for as long as it may be told again."""

import time
from collections.abc import Callable

from functions.models.logic import MOST_SECONDS, Listing
from shared.errors import DatabaseUnavailable

_FRESH_SECONDS = 60


class Memory:
    """For a minute nobody asks the database; while it is down, five minutes old is good enough."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._kept: Listing | None = None
        self._at = 0.0

    def recall(self, look: Callable[[], Listing]) -> tuple[Listing, int]:
        """Return the listing and its age in seconds. Raises: what `look` raises."""
        now = self._clock()
        age = abs(now - self._at)
        if self._kept is None or age >= _FRESH_SECONDS:
            try:
                self._kept, self._at, age = look(), now, 0.0
            except DatabaseUnavailable:
                if self._kept is None or age >= MOST_SECONDS:
                    raise
        return self._kept, int(age)
