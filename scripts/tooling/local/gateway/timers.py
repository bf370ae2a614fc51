"""Timers: send the platform's timer event at the times of their cron expressions."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from croniter import croniter
from croniter.croniter import CroniterError

from scripts.tooling.manifest.s_yaml import Function, ManifestError, Timer

Fire = Callable[[Function, bytes], Awaitable[None]]

_LONGEST_SLEEP_SECONDS = 5.0  # short, to notice a changed clock or a wake-up
_ZONE = "CRON_TZ="


@dataclass(frozen=True)
class Schedule:
    """The cron expression of a timer: six fields, seconds first, in UTC or a named zone."""

    fields: str
    zone: timezone | ZoneInfo

    @classmethod
    def of(cls, cron: str) -> "Schedule":
        """Parse an expression. Raises: ManifestError."""
        zone: timezone | ZoneInfo = timezone.utc
        try:
            if cron.startswith(_ZONE):
                name, _, cron = cron.removeprefix(_ZONE).partition(" ")
                zone = ZoneInfo(name)
            if len(cron.split()) != 6:
                raise ManifestError(f"{cron!r} is no cron expression of six fields")
            croniter(cron, second_at_beginning=True)
        except (CroniterError, ZoneInfoNotFoundError, ValueError) as problem:
            raise ManifestError(f"a timer cannot be run: {problem}") from None
        return cls(cron, zone)

    def after(self, moment: datetime) -> datetime:
        start = moment.astimezone(self.zone)
        due: datetime = croniter(self.fields, start, second_at_beginning=True).get_next(datetime)
        return due.astimezone(timezone.utc)


class Timers:
    """The timers of one deployment."""

    def __init__(self, functions: Iterable[Function], fire: Fire) -> None:
        """Parse all timers. Raises: ManifestError."""
        self._scheduled = list(_scheduled(functions))
        self._fire = fire
        self._waiting: list[asyncio.Task[None]] = []
        self._running: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        self._waiting = [asyncio.create_task(self._repeat(*one)) for one in self._scheduled]

    def retire(self) -> None:
        """Fire no more; running invocations finish."""
        for task in self._waiting:
            task.cancel()

    async def close(self) -> None:
        self.retire()
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._waiting, *self._running, return_exceptions=True)

    async def _repeat(self, function: Function, timer: Timer, schedule: Schedule) -> None:
        """Fire one timer repeatedly, even if its last run is unfinished, as the platform does."""
        due = datetime.now(timezone.utc)
        while True:
            due = schedule.after(max(due, datetime.now(timezone.utc)))
            while (left := due.timestamp() - time.time()) > 0:
                await asyncio.sleep(min(left, _LONGEST_SLEEP_SECONDS))
            firing = asyncio.ensure_future(self._fire(function, timer_event(timer, due)))
            self._running.add(firing)
            firing.add_done_callback(self._running.discard)


def _scheduled(functions: Iterable[Function]) -> Iterator[tuple[Function, Timer, Schedule]]:
    for function in functions:
        for timer in function.timers:
            if function.is_web:
                raise ManifestError(f"{function.name}: only a built-in function can have timers")
            yield function, timer, Schedule.of(timer.cron)


def timer_event(timer: Timer, due: datetime) -> bytes:
    """The event of a timer ("Time triggers", Function Compute 3.0)."""
    at = due.strftime("%Y-%m-%dT%H:%M:%SZ")
    event = {"triggerTime": at, "triggerName": timer.name, "payload": timer.payload}
    return json.dumps(event).encode()
