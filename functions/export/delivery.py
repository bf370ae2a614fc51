"""Delivering an export: in the answer, or as a link after a worker has written it."""

from functions.export import inline
from functions.export.inline import InlineFile
from functions.export.query import ExportQuery
from shared import settings
from shared.accounts import auth
from shared.accounts.tokens import Claims
from shared.config import load
from shared.database.connection import Connection
from shared.database.transactions import read, transaction
from shared.errors import ExportTooLarge, SheetFull, WorkerUnreachable
from shared.exports import jobs
from shared.exports.export_request import ExportRequest
from shared.exports.limits import QUEUED_MS
from shared.repos import audit, export_jobs
from shared.repos.export_jobs import Job
from shared.times import now_ms


def write_inline(query: ExportQuery, export_id: str) -> InlineFile | None:
    """Return None if a link is to be delivered: as requested, or because the file is too large.

    Raises: ExportTooLarge: links are not possible, or the query excludes them.
    """
    if query.delivery == "link":
        return None
    try:
        return read(inline.write, query.export_request, export_id)
    except SheetFull:
        raise
    except ExportTooLarge:
        if query.delivery == "inline" or not load(settings.Storage).is_there:
            raise
        return None


def queue(claims: Claims, request: ExportRequest, export_id: str) -> Job:
    """Add a job and start a worker.

    Raises: Misconfigured, WorkerUnreachable: the job is marked as failed.
    """
    load(settings.Workers)
    job = transaction(_add_job, claims, request, export_id)
    try:
        jobs.start(job)
    except WorkerUnreachable as error:
        transaction(export_jobs.mark_failed, job, error.name, at_ms=now_ms())
        raise
    return job


def _add_job(db: Connection, claims: Claims, request: ExportRequest, export_id: str) -> Job:
    admin, now = auth.administrator(db, claims), now_ms()
    job = Job(export_id, admin.id, request.as_json, now + QUEUED_MS, now)
    export_jobs.add(db, job)
    audit.record(db, admin.id, "export.start", {"export": export_id, **request.filter})
    return job
