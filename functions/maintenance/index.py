"""Maintenance, every minute: end abandoned turns, restart stuck exports, remove expired rows."""

import json
import time

from functions.maintenance import aging, objects, retention, stuck_exports, sweep
from functions.maintenance.chores import Counts, run_all, run_one
from shared.database import transactions
from shared.database.transactions import transaction
from shared.errors import Unexpected
from shared.repos import timers
from shared.repos.timers import TimerRun
from shared.times import now_ms
from shared.web.timers import RunFailed, timer

_SECONDS = 20  # the rest waits for the next run
# Objects go last, because a storage that does not answer takes seconds.
_CHORES = {
    "turns": sweep.run,
    "exports": stuck_exports.run,
    **retention.CHORES,
    **aging.CHORES,
    **objects.CHORES,
}


@timer
def handler() -> dict[str, object]:
    """Leave the work to another run that is at work, because both would want the same rows."""
    if not transactions.is_configured():
        return {"skipped": "there is no database"}
    with transactions.exclusive("maintenance") as is_alone:
        return _run() if is_alone else {"skipped": "another run is at work"}


def _run() -> dict[str, object]:
    """Raises: RunFailed: some chores failed; the others were done."""
    counts = Counts()
    failures = run_all(_CHORES, time.monotonic() + _SECONDS, counts)
    if counts.failed:
        failures.setdefault("turns", Unexpected.name)
    failures |= _record(counts, failures)
    if failures:
        raise RunFailed(_outcome(failures), _summary(counts, failures))
    return _summary(counts, failures)


def _record(counts: Counts, failures: dict[str, str]) -> dict[str, str]:
    """Store the result for administrators; return the failure, if it cannot be stored."""
    summary = json.dumps(_summary(counts, failures))
    run = TimerRun(sweep.TIMER, now_ms(), _outcome(failures), summary)
    failure = run_one("record", lambda *_: transaction(timers.record, run), 0, counts)
    return {"record": failure} if failure else {}


def _outcome(failures: dict[str, str]) -> str:
    """The name of the failure; a general one if there are several."""
    names = set(failures.values())
    if not names:
        return "ok"
    return names.pop() if len(names) == 1 else Unexpected.name


def _summary(counts: Counts, failures: dict[str, str]) -> dict[str, object]:
    return {**vars(counts), "failures": failures} if failures else dict(vars(counts))
