"""A cache of the model list, one for the instance."""

import time
from collections.abc import Callable

from functions.models.logic import MOST_SECONDS, ModelsJson
from shared.errors import DatabaseUnavailable

_FRESH_SECONDS = 60


class ModelsCache:
    """Entries are fresh for a minute; while the database is down, they are used for five."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._kept: ModelsJson | None = None
        self._at = 0.0

    def get(self, load: Callable[[], ModelsJson]) -> tuple[ModelsJson, int]:
        """Return the list and its age in seconds. Raises: what `load` raises."""
        now = self._clock()
        age = abs(now - self._at)
        if self._kept is None or age >= _FRESH_SECONDS:
            try:
                self._kept, self._at, age = load(), now, 0.0
            except DatabaseUnavailable:
                if self._kept is None or age >= MOST_SECONDS:
                    raise
        return self._kept, int(age)
