"""Exports that nobody has in hand: asked for again, or ended."""

import time
from dataclasses import dataclass

from shared import log
from shared.database.transactions import read, transaction
from shared.errors import AppError, Misconfigured
from shared.exports.limits import MOST_ATTEMPTS, OLDEST_MS, QUEUED_MS
from shared.repos import export_jobs
from shared.repos.export_jobs import Job
from shared.times import now_ms

_MOST_JOBS = 100


@dataclass
class Resumed:
    """`exports_resumed` were asked for again, `exports_ended` are at an end."""

    exports_resumed: int = 0
    exports_ended: int = 0


def run(until: float) -> Resumed:
    """Raises: DatabaseUnavailable."""
    resumed = Resumed()
    for job in read(export_jobs.list_abandoned, before_ms=now_ms(), count=_MOST_JOBS):
        if time.monotonic() > until:
            break
        if _is_ended(job):
            resumed.exports_ended += 1
        elif transaction(export_jobs.requeue, job, until_ms=now_ms() + QUEUED_MS):
            _start(job, resumed)
    return resumed


def _is_ended(job: Job) -> bool:
    """Cancelled while nobody had it in hand, or too old to come to anything."""
    now = now_ms()
    if job.cancel_asked:
        return transaction(export_jobs.mark_cancelled, job.id, before_ms=now, at_ms=now)
    if job.attempt >= MOST_ATTEMPTS:
        return _failed(job, job.failure or "worker_killed")
    if now - job.created_at_ms > OLDEST_MS:
        return _failed(job, job.failure or "not_started")
    return False


def _start(job: Job, resumed: Resumed) -> None:
    """A worker that cannot be reached now may be in a minute; a missing setting stays missing."""
    from shared.exports import jobs  # jwt is for the rare minute in which there is one

    try:
        jobs.start(job)
        resumed.exports_resumed += 1
    except AppError as error:
        log.write("error", "export", export=job.id, error=error.name, context=error.context)
        if isinstance(error, Misconfigured):
            resumed.exports_ended += _failed(job, error.name)


def _failed(job: Job, failure: str) -> bool:
    return transaction(export_jobs.mark_failed, job, failure, at_ms=now_ms())
