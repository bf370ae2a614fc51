"""Circuit breaker of an upstream, opened by a ratio of failures. Does no I/O."""

from collections import deque

_WINDOW_SECONDS = 30.0
FEWEST = 5  # fewer answers are too few to judge by
_MOST = 50
FAILURE_RATIO = 0.5
_OPEN_SECONDS = 10.0


class Breaker:
    """Opens when half of the recent answers failed; then one probe per ten seconds may close it.

    `is_misconfigured`: the last failure is one that only the operator can mend.
    """

    def __init__(self) -> None:
        self._answers: deque[tuple[float, bool]] = deque(maxlen=_MOST)
        self._opened_at: float | None = None
        self.is_misconfigured = False

    def allows(self, now: float) -> bool:
        """Whether to call the upstream. While open, True permits one probe per ten seconds."""
        if self._opened_at is None:
            return True
        if now - self._opened_at < _OPEN_SECONDS:
            return False
        self._opened_at = now
        return True

    def record(self, now: float, *, good: bool) -> None:
        if self._opened_at is not None:
            self._close_or_stay(now, good=good)
            return
        self._answers.append((now, good))
        recent = [was_good for at, was_good in self._answers if now - at <= _WINDOW_SECONDS]
        if len(recent) >= FEWEST and recent.count(False) >= len(recent) * FAILURE_RATIO:
            self._opened_at = now

    def _close_or_stay(self, now: float, *, good: bool) -> None:
        if good:
            self._opened_at = None
            self._answers.clear()
        else:
            self._opened_at = now
