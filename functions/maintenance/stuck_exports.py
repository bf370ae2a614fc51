"""Exports without a running worker: started again, or ended."""

from functions.maintenance.chores import Counts, each
from shared import log
from shared.database.transactions import read, transaction
from shared.errors import AppError, Misconfigured
from shared.exports.limits import MOST_ATTEMPTS, OLDEST_MS, QUEUED_MS
from shared.repos import export_jobs
from shared.repos.export_jobs import Job
from shared.times import now_ms

_MOST_JOBS = 100


def run(until: float, counts: Counts) -> None:
    """Raises: DatabaseUnavailable."""
    abandoned = read(export_jobs.list_abandoned, before_ms=now_ms(), count=_MOST_JOBS)
    each(abandoned, until, lambda job: _end_or_restart(job, counts))


def _end_or_restart(job: Job, counts: Counts) -> None:
    if _end(job):
        counts.exports_ended += 1
    elif transaction(export_jobs.requeue, job, until_ms=now_ms() + QUEUED_MS):
        _start(job, counts)


def _end(job: Job) -> bool:
    """End an export that was cancelled or failed too often, or is too old; say whether."""
    now = now_ms()
    if job.cancel_asked:
        return transaction(export_jobs.mark_cancelled, job.id, before_ms=now, at_ms=now)
    if job.attempt >= MOST_ATTEMPTS:
        return _mark_failed(job, job.failure or "worker_killed")
    if now - job.created_at_ms > OLDEST_MS:
        return _mark_failed(job, job.failure or "not_started")
    return False


def _start(job: Job, counts: Counts) -> None:
    """Start a worker; the next run tries again if this fails, unless a setting is wrong."""
    from shared.exports import jobs  # loads jwt, which most runs do not need

    try:
        jobs.start(job)
        counts.exports_resumed += 1
    except AppError as error:
        log.write("error", "export", export=job.id, error=error.name, context=error.context)
        if isinstance(error, Misconfigured):
            counts.exports_ended += _mark_failed(job, error.name)


def _mark_failed(job: Job, failure: str) -> bool:
    return transaction(export_jobs.mark_failed, job, failure, at_ms=now_ms())
