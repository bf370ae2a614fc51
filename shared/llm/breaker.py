"""When to leave an upstream alone: a circuit breaker over a ratio of failures. Does no I/O."""

from collections import deque

_WINDOW_SECONDS = 30.0
FEWEST = 5  # one failure, or two, say nothing
_MOST = 50
FAILURE_RATIO = 0.5
_OPEN_SECONDS = 10.0


class Breaker:
    """Opens when half of the last answers failed; then one probe every ten seconds may close it."""

    def __init__(self) -> None:
        self._answers: deque[tuple[float, bool]] = deque(maxlen=_MOST)
        self._opened_at: float | None = None

    def allows(self, now: float) -> bool:
        """Whether to ask. Where it is open, a True is the probe: the next waits its turn."""
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
