"""Every minute: end what killed instances left open, forget what nobody can ask for any more."""

import time

from functions.maintenance import forgetting, sweep
from shared import db
from shared.errors import Unexpected
from shared.timers import timer

_SECONDS = 20  # what is left then waits a minute


@timer
def handler() -> dict[str, object]:
    if not db.is_configured():
        return {"skipped": "there is no database"}
    until = time.monotonic() + _SECONDS
    swept = sweep.run(until)
    forgotten = forgetting.run(until)
    summary = {**vars(swept), **vars(forgotten)}
    if swept.failed:
        raise Unexpected(**summary)
    return summary
