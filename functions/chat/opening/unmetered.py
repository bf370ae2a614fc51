"""Chat without a database: its limits, which this instance counts in its memory."""

from contextlib import suppress
from dataclasses import dataclass

from shared import log, settings
from shared.config import Rate, load
from shared.database import transactions
from shared.errors import AppError, TooManyRequests
from shared.times import now_ms
from shared.web.client_ip import network
from shared.web.endpoint import Request

_MOST_ADDRESSES = 10_000
_ALL = "all addresses"


@dataclass
class _Window:
    ends_ms: int
    used: int = 0


class UnmeteredLimits:
    """Messages of each address and of all together, in windows that begin with their first."""

    def __init__(self) -> None:
        self._windows: dict[str, _Window] = {}

    def take(self, request: Request) -> None:
        """Count a message against both limits, or against none. Raises: TooManyRequests."""
        limits, now = load(settings.Unmetered), now_ms()
        due = [(_ALL, limits.total), (network(request.client_ip), limits.address)]
        windows = [self._open_window(subject, rate, now) for subject, rate in due if rate]
        for window in windows:
            window.used += 1

    def _open_window(self, subject: str, rate: Rate, now: int) -> _Window:
        """The subject's window, with room for another message. Raises: TooManyRequests."""
        window = self._windows.get(subject)
        if window is None or window.ends_ms <= now:
            self._make_room(now)
            window = self._windows[subject] = _Window(now + rate.seconds * 1000)
        if window.used >= rate.most:
            raise _refusal(window.ends_ms - now)
        return window

    def _make_room(self, now: int) -> None:
        """Drop ended windows when there are many.

        Raises: TooManyRequests: none has ended. Dropping others would reset their counts.
        """
        if len(self._windows) < _MOST_ADDRESSES:
            return
        self._windows = {name: one for name, one in self._windows.items() if one.ends_ms > now}
        if len(self._windows) >= _MOST_ADDRESSES:
            raise _refusal(min(one.ends_ms for one in self._windows.values()) - now)


def _refusal(milliseconds: int) -> TooManyRequests:
    wait = max(-(-milliseconds // 1000), 1)
    return TooManyRequests(retry_after_seconds=wait, limit="unmetered")


unmetered_limits = UnmeteredLimits()


def warn_if_unmetered() -> None:
    """Write one line at the start if this instance answers without counting in a database."""
    with suppress(AppError):  # wrong settings: each request logs them
        limits = load(settings.Unmetered)
        if limits.is_allowed and not transactions.is_configured():
            log.write(
                "warning",
                "unmetered_chat",
                problem="NO DATABASE: chat is free for anybody, and counted in this instance alone",
                one_address=_in_words(limits.address),
                this_instance=_in_words(limits.total),
            )


def _in_words(rate: Rate | None) -> str:
    return f"{rate.most} messages in {rate.seconds} s" if rate else "no limit"
