"""Writing one export: once, whole, and so that another can take over at any moment."""

import json

from functions.export_worker.parts import Parts
from functions.export_worker.watch import LEASE_MS, Cancelled, Lost, Watch
from shared import log
from shared.database import transactions
from shared.database.connection import Connection
from shared.database.transactions import transaction
from shared.errors import AppError, ExportTooLarge, NotFound, Unexpected
from shared.exports import files
from shared.exports.export_request import Wanted
from shared.exports.limits import MOST_ATTEMPTS, QUEUED_MS
from shared.exports.object_keys import place_of
from shared.repos import audit, export_jobs
from shared.repos.audit import Entry
from shared.repos.export_jobs import Job
from shared.storage.choice import Storage, Upload
from shared.times import now_ms

_QUERY_SECONDS = 30.0


class Busy(Unexpected):
    """Another has it in hand, or was killed a moment ago: to be tried again later."""

    name = "export_busy"


def take(connection: Connection, export_id: str) -> Job | None:
    """Take the job in hand; None where it has ended, or there is none.

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
    """Return how it ended; a failure that may pass is raised, and the job waits again."""
    try:
        _produced(job, storage)
    except Cancelled:
        return "cancelled"
    except Lost:
        return "lost"
    except ExportTooLarge as error:
        return _given_up(job, storage, error.name)
    except Exception as error:
        if job.attempt >= MOST_ATTEMPTS:
            log.crash(error, request_id=job.id)
            return _given_up(job, storage, _name(error))
        transaction(export_jobs.release, job, _name(error), until_ms=now_ms() + QUEUED_MS)
        raise
    return "done"


def _produced(job: Job, storage: Storage) -> None:
    """What earlier attempts left is removed first, so that there is one object in the end."""
    wanted, place = Wanted.read(job.wanted), place_of(job.id, job.attempt)
    key = place + wanted.filename(job.created_at_ms)
    with Watch(job) as watch:
        _cleared(job, storage, below=job.attempt)
        with Parts(_begun(job, wanted, key, storage), watch) as parts:
            _written(job, wanted, watch, parts)
            parts.finish()
    if not transaction(_ended, job, wanted, parts.sha256, key, watch.written):
        storage.remove_all(place)
        watch.check()
        raise Cancelled if transaction(export_jobs.mark_stopped, job, at_ms=now_ms()) else Lost


def _cleared(job: Job, storage: Storage, *, below: int) -> None:
    """Never what a later attempt made: whoever clears may have lost the job without knowing."""
    for attempt in range(1, below):
        storage.remove_all(place_of(job.id, attempt))


def _begun(job: Job, wanted: Wanted, key: str, storage: Storage) -> Upload:
    label = files.aigc(wanted, job.id)
    media_type = files.FORMATS[wanted.format].media_type
    return storage.begin(key, media_type, {"aigc": label} if label else {})


def _written(job: Job, wanted: Wanted, watch: Watch, parts: Parts) -> None:
    with (
        transactions.snapshot(_QUERY_SECONDS) as snapshot,
        files.opened(snapshot, wanted, job.id) as table,
    ):
        table.batches = watch.over(table.batches)
        files.FORMATS[wanted.format].write(table, parts)


def _ended(
    connection: Connection,
    job: Job,
    wanted: Wanted,
    sha256: str,
    key: str,
    written: tuple[int, int],
) -> bool:
    """The entry has the export's own id, so there cannot be two of them."""
    now = now_ms()
    done = export_jobs.mark_done(
        connection, job, written=written, sha256=sha256, key=key, at_ms=now
    )
    if done:
        rows, size = written
        detail = {**wanted.filter, "rows": rows, "bytes": size, "sha256": sha256}
        text = json.dumps({**detail, "delivery": "link"})
        audit.add(connection, Entry(job.id, now, job.requested_by, "export", text))
    return done


def _given_up(job: Job, storage: Storage, failure: str) -> str:
    transaction(export_jobs.mark_failed, job, failure, at_ms=now_ms())
    _cleared(job, storage, below=job.attempt + 1)
    log.write("error", "export_failed", export=job.id, error=failure, attempt=job.attempt)
    return "failed"


def _name(error: Exception) -> str:
    return error.name if isinstance(error, AppError) else Unexpected.name
