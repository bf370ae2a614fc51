"""Writing one export file. Another worker can continue after a failure at any point."""

import json

from functions.export_worker.parts import Parts
from functions.export_worker.watch import LEASE_MS, Cancelled, Lost, Watch
from shared import log
from shared.database import transactions
from shared.database.connection import Connection
from shared.database.transactions import transaction
from shared.errors import AppError, ExportTooLarge, NotFound, Unexpected
from shared.exports import files
from shared.exports.export_request import ExportRequest
from shared.exports.limits import MOST_ATTEMPTS, QUEUED_MS
from shared.exports.object_keys import attempt_prefix
from shared.repos import audit, export_jobs
from shared.repos.audit import AuditEntry
from shared.repos.export_jobs import Job
from shared.storage.choice import Storage, Upload
from shared.times import now_ms

_QUERY_SECONDS = 30.0


class Busy(Unexpected):
    """Another worker has claimed the job, or was killed and its lease lasts: try again later."""

    name = "export_busy"


def claim(connection: Connection, export_id: str) -> Job | None:
    """Claim the job; return None if it has ended or does not exist.

    Raises: Busy.
    """
    now = now_ms()
    claimed = export_jobs.claim(connection, export_id, at_ms=now, until_ms=now + LEASE_MS)
    try:
        job = export_jobs.get(connection, export_id)
    except NotFound:
        return None
    if not claimed and job.state == "running" and not job.cancel_asked:
        raise Busy
    return job if claimed else None


def run(job: Job, storage: Storage) -> str:
    """Return how it ended. A temporary failure is raised, and the job is queued again."""
    try:
        _write(job, storage)
    except Cancelled:
        return "cancelled"
    except Lost:
        return "lost"
    except ExportTooLarge as error:
        return _fail(job, storage, error.name)
    except Exception as error:
        if job.attempt >= MOST_ATTEMPTS:
            log.crash(error, request_id=job.id)
            return _fail(job, storage, _name(error))
        transaction(export_jobs.release, job, _name(error), until_ms=now_ms() + QUEUED_MS)
        raise
    return "done"


def _write(job: Job, storage: Storage) -> None:
    """Remove the objects of earlier attempts first, so that one object is left in the end."""
    request, prefix = ExportRequest.from_json(job.request), attempt_prefix(job.id, job.attempt)
    key = prefix + request.filename(job.created_at_ms)
    with Watch(job) as watch:
        _remove_attempts(job, storage, below=job.attempt)
        with Parts(_begin_upload(job, request, key, storage), watch) as parts:
            _write_rows(job, request, watch, parts)
            parts.finish()
    if not transaction(_mark_done, job, request, parts.sha256, key, watch.written):
        storage.remove_all(prefix)
        watch.check()
        raise Cancelled if transaction(export_jobs.mark_stopped, job, at_ms=now_ms()) else Lost


def _remove_attempts(job: Job, storage: Storage, *, below: int) -> None:
    """Keep the objects of later attempts: this worker may have lost the job unnoticed."""
    for attempt in range(1, below):
        storage.remove_all(attempt_prefix(job.id, attempt))


def _begin_upload(job: Job, request: ExportRequest, key: str, storage: Storage) -> Upload:
    label = files.aigc(request, job.id)
    media_type = files.FORMATS[request.format].media_type
    return storage.begin(key, media_type, {"aigc": label} if label else {})


def _write_rows(job: Job, request: ExportRequest, watch: Watch, parts: Parts) -> None:
    with (
        transactions.snapshot(_QUERY_SECONDS) as snapshot,
        files.open_export(snapshot, request, job.id) as table,
    ):
        table.batches = watch.over(table.batches)
        files.FORMATS[request.format].write(table, parts)


def _mark_done(
    connection: Connection,
    job: Job,
    request: ExportRequest,
    sha256: str,
    key: str,
    written: tuple[int, int],
) -> bool:
    """The audit entry has the id of the export, so it is recorded once."""
    now = now_ms()
    done = export_jobs.mark_done(
        connection, job, written=written, sha256=sha256, key=key, at_ms=now
    )
    if done:
        rows, size = written
        detail = {**request.filter, "rows": rows, "bytes": size, "sha256": sha256}
        text = json.dumps({**detail, "delivery": "link"})
        audit.add(connection, AuditEntry(job.id, now, job.requested_by, "export", text))
    return done


def _fail(job: Job, storage: Storage, failure: str) -> str:
    transaction(export_jobs.mark_failed, job, failure, at_ms=now_ms())
    _remove_attempts(job, storage, below=job.attempt + 1)
    log.write("error", "export_failed", export=job.id, error=failure, attempt=job.attempt)
    return "failed"


def _name(error: Exception) -> str:
    return error.name if isinstance(error, AppError) else Unexpected.name
