"""Times at the boundary: milliseconds since 1970 inside, ISO 8601 outside."""

import time
from datetime import datetime, timedelta, timezone

# The time zone of quota days; China has had one zone without summer time since 1991.
SHANGHAI = timezone(timedelta(hours=8), "Asia/Shanghai")
DAY_MS = 24 * 3600 * 1000


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def iso_utc(at_ms: int) -> str:
    at = datetime.fromtimestamp(at_ms / 1000, timezone.utc)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def iso_utc_if(at_ms: int | None) -> str | None:
    """`iso_utc`, or None for None."""
    return None if at_ms is None else iso_utc(at_ms)


def shanghai_day(at_ms: int) -> str:
    """`2026-11-22`"""
    return datetime.fromtimestamp(at_ms / 1000, SHANGHAI).date().isoformat()


def day_start_ms(day: str) -> int:
    """The first millisecond of a day such as `2026-11-22`."""
    return int(datetime.fromisoformat(day).replace(tzinfo=SHANGHAI).timestamp()) * 1000


def seconds_left_of_day(at_ms: int) -> int:
    """Seconds until the next quota day, at least 1."""
    at = datetime.fromtimestamp(at_ms / 1000, SHANGHAI)
    return 86400 - (at.hour * 3600 + at.minute * 60 + at.second)
