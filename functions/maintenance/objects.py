"""Deleting objects from the storage: the queue that commits, deletions and erasures fill.

The first failure ends the work of a run, because an unreachable storage takes seconds for each
object. Its entry waits for longer after each try, so that it does not keep others waiting.
"""

import time
from typing import TYPE_CHECKING

from functions.maintenance.chores import Chore, Counts, each
from shared import settings
from shared.config import load
from shared.database.transactions import autocommit, read
from shared.repos import object_deletions
from shared.repos.object_deletions import ObjectDeletion
from shared.times import now_ms

if TYPE_CHECKING:
    from shared.storage.media_storage import MediaStorage

BATCH = 100
_SLICE_SECONDS = 5
_PAUSE_MS = 60_000
_MOST_DOUBLINGS = 8  # four hours


def remove_objects(until: float, counts: Counts) -> None:
    """Raises: StorageUnavailable, Misconfigured."""
    if not load(settings.Storage).is_there:
        return
    until = min(until, time.monotonic() + _SLICE_SECONDS)
    while time.monotonic() < until:
        due = read(object_deletions.list_due, now_ms(), count=BATCH)
        if due:
            storage = _storage()
            each(due, until, lambda one: _remove(storage, one, counts))  # noqa: B023  # at once
        if len(due) < BATCH:
            break


def _storage() -> "MediaStorage":
    from shared.storage.media_choice import media_storage  # most runs need no HTTP client

    return media_storage()


def _remove(storage: "MediaStorage", due: ObjectDeletion, counts: Counts) -> None:
    """The next try is stored first: the process may be killed, or the storage may fail."""
    next_at_ms = now_ms() + (_PAUSE_MS << min(due.attempts, _MOST_DOUBLINGS))
    if autocommit(object_deletions.begin, due, next_at_ms=next_at_ms):
        storage.remove(due.object_key)
        autocommit(object_deletions.finish, due.object_key, next_at_ms=next_at_ms)
        counts.add("objects", 1)


CHORES: dict[str, Chore] = {"objects": remove_objects}
