"""Ending an export: cancelling it while it is written, removing its file afterwards."""

from shared.accounts import auth
from shared.accounts.tokens import Claims
from shared.database.connection import Connection
from shared.database.transactions import transaction
from shared.exports.object_keys import prefix_of
from shared.repos import audit, export_jobs
from shared.repos.export_jobs import Job
from shared.storage.choice import Storage
from shared.times import now_ms


def cancel(claims: Claims, job: Job) -> None:
    """A running worker stops within a second; without one the export ends at once."""
    transaction(_cancel, claims, job)


def remove(claims: Claims, job: Job, storage: Storage) -> None:
    """The file is removed first, so that a repetition completes a failed call."""
    storage.remove_all(prefix_of(job.id))
    transaction(_record_removal, claims, job)


def _cancel(db: Connection, claims: Claims, job: Job) -> None:
    admin, now = auth.administrator(db, claims), now_ms()
    if export_jobs.ask_to_cancel(db, job.id):
        export_jobs.mark_cancelled(db, job.id, before_ms=now, at_ms=now)
        audit.record(db, admin.id, "export.cancel", {"export": job.id})


def _record_removal(db: Connection, claims: Claims, job: Job) -> None:
    admin = auth.administrator(db, claims)
    if export_jobs.forget_object(db, job.id):
        audit.record(db, admin.id, "export.remove", {"export": job.id})
