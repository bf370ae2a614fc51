"""How an export reaches whoever asked: in the answer, or as a link when a worker is done."""

from functions.export import inline
from functions.export.inline import File
from functions.export.query import Query
from shared import settings
from shared.accounts import auth
from shared.accounts.tokens import Claims
from shared.config import load
from shared.database.connection import Connection
from shared.database.transactions import read, transaction
from shared.errors import ExportTooLarge, SheetFull, WorkerUnreachable
from shared.exports import jobs
from shared.exports.export_request import Wanted
from shared.exports.limits import QUEUED_MS
from shared.repos import audit, export_jobs
from shared.repos.export_jobs import Job
from shared.times import now_ms


def taken_inline(query: Query, export_id: str) -> File | None:
    """None where it is to be a link: asked for, or too large for an answer.

    Raises: ExportTooLarge: there is no other way, or the caller ruled it out.
    """
    if query.delivery == "link":
        return None
    try:
        return read(inline.take, query.wanted, export_id)
    except SheetFull:
        raise
    except ExportTooLarge:
        if query.delivery == "inline" or not load(settings.Storage).is_there:
            raise
        return None


def queue(claims: Claims, wanted: Wanted, export_id: str) -> Job:
    """Have a worker write it. Raises: Misconfigured, WorkerUnreachable: nothing waits then."""
    load(settings.Workers)
    job = transaction(_queued, claims, wanted, export_id)
    try:
        jobs.start(job)
    except WorkerUnreachable as error:
        transaction(export_jobs.mark_failed, job, error.name, at_ms=now_ms())
        raise
    return job


def _queued(db: Connection, claims: Claims, wanted: Wanted, export_id: str) -> Job:
    admin, now = auth.administrator(db, claims), now_ms()
    job = Job(export_id, admin.id, wanted.text, now + QUEUED_MS, now)
    export_jobs.add(db, job)
    audit.record(db, admin.id, "export.start", {"export": export_id, **wanted.filter})
    return job
