"""Maintenance, every minute: end abandoned turns, restart stuck exports, remove expired rows."""

import json
import time

from functions.maintenance import retention, stuck_exports, sweep
from shared.database import transactions
from shared.database.transactions import transaction
from shared.errors import Unexpected
from shared.repos import timers
from shared.repos.timers import TimerRun
from shared.times import now_ms
from shared.web.timers import timer

_SECONDS = 20  # the rest waits for the next run


@timer
def handler() -> dict[str, object]:
    if not transactions.is_configured():
        return {"skipped": "there is no database"}
    until = time.monotonic() + _SECONDS
    swept = sweep.run(until)
    restarted = stuck_exports.run(until)
    removed = retention.run(until)
    summary = {**vars(swept), **vars(restarted), **vars(removed)}
    outcome = Unexpected.name if swept.failed else "ok"
    transaction(timers.record, TimerRun("maintenance", now_ms(), outcome, json.dumps(summary)))
    if swept.failed:
        raise Unexpected(**summary)
    return summary
