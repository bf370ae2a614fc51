"""Running chores so that each stands alone: a failure does not keep the others from running."""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from shared import log
from shared.errors import AppError, DatabaseContention

T = TypeVar("T")

CONTENTION = "contention"  # in the log: another connection held the rows for too long
_TRIES = 2
_MOST_WAITS = 3  # each takes as long as the server waits for a lock


@dataclass
class Counts:
    """Counts of one run, which are its summary.

    `settled` and `released` turns ended; `failed` ones stay open for the next run. `answers`
    lost their chunks; the messages are kept. `addresses` are the daily counts of addresses:
    see shared.accounts.address_quota. `objects` were deleted from the storage.
    The others are removed rows; what begins with `old_`
    was older than its setting says.
    """

    settled: int = 0
    released: int = 0
    failed: int = 0
    exports_resumed: int = 0
    exports_ended: int = 0
    keys: int = 0
    answers: int = 0
    limits: int = 0
    refresh_tokens: int = 0
    sessions: int = 0
    addresses: int = 0
    uploads: int = 0
    objects: int = 0
    old_conversations: int = 0
    old_turns: int = 0
    old_days: int = 0
    old_sessions: int = 0
    old_exports: int = 0
    old_invites: int = 0
    old_locations: int = 0

    def add(self, name: str, count: int) -> None:
        setattr(self, name, getattr(self, name) + count)


Chore = Callable[[float, Counts], None]


def run_all(chores: Mapping[str, Chore], until: float, counts: Counts) -> dict[str, str]:
    """Run every chore; return the names of the failures, by chore.

    A chore that met contention is tried again after the others.
    """
    failures: dict[str, str] = {}
    pending = dict(chores)
    for _ in range(_TRIES):
        for name, chore in pending.items():
            if time.monotonic() < until:
                failures[name] = run_one(name, chore, until, counts)
        pending = {name: chores[name] for name in failures if failures[name] == CONTENTION}
    return {name: failure for name, failure in failures.items() if failure}


def run_one(name: str, chore: Chore, until: float, counts: Counts) -> str:
    """Run a chore; log its failure and return the failure's name, or "" if there is none."""
    try:
        chore(until, counts)
    except AppError as error:
        failure = CONTENTION if isinstance(error, DatabaseContention) else error.name
        log.write("error", "chore", chore=name, error=failure, context=error.context)
        return failure
    except Exception as error:  # noqa: BLE001  # any defect of one chore
        log.crash(error, chore=name)
        return type(error).__name__
    return ""


def each(items: Iterable[T], until: float, work: Callable[[T], None]) -> None:
    """Work on each item until the time is over; one that meets contention is passed over.

    Raises: DatabaseContention, at the end, or after a few of them.
    """
    waits: list[DatabaseContention] = []
    for item in items:
        if time.monotonic() > until or len(waits) == _MOST_WAITS:
            break
        try:
            work(item)
        except DatabaseContention as error:
            waits.append(error)
    if waits:
        raise waits[-1]
