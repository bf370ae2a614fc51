"""Every minute: end what killed instances left open, forget what nobody can ask for any more."""

import json
import time

from functions.maintenance import retention, stuck_exports, sweep
from shared.database import transactions
from shared.database.transactions import transaction
from shared.errors import Unexpected
from shared.repos import timers
from shared.repos.timers import Run
from shared.times import now_ms
from shared.web.timers import timer

_SECONDS = 20  # what is left then waits a minute


@timer
def handler() -> dict[str, object]:
    if not transactions.is_configured():
        return {"skipped": "there is no database"}
    until = time.monotonic() + _SECONDS
    swept = sweep.run(until)
    resumed = stuck_exports.run(until)
    forgotten = retention.run(until)
    summary = {**vars(swept), **vars(resumed), **vars(forgotten)}
    outcome = Unexpected.name if swept.failed else "ok"
    transaction(timers.record, Run("maintenance", now_ms(), outcome, json.dumps(summary)))
    if swept.failed:
        raise Unexpected(**summary)
    return summary
