"""Putting an end to an export: cancelled while it is written, removed when it is there."""

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
    """Whoever has it in hand sees it within a second; what nobody has in hand ends at once."""
    transaction(_cancel, claims, job)


def remove(claims: Claims, job: Job, storage: Storage) -> None:
    """The file first: a failure in between is repaired by doing it again."""
    storage.remove_all(prefix_of(job.id))
    transaction(_forget, claims, job)


def _cancel(db: Connection, claims: Claims, job: Job) -> None:
    admin, now = auth.administrator(db, claims), now_ms()
    if export_jobs.ask_to_cancel(db, job.id):
        export_jobs.mark_cancelled(db, job.id, before_ms=now, at_ms=now)
        audit.record(db, admin.id, "export.cancel", {"export": job.id})


def _forget(db: Connection, claims: Claims, job: Job) -> None:
    admin = auth.administrator(db, claims)
    if export_jobs.forget_object(db, job.id):
        audit.record(db, admin.id, "export.remove", {"export": job.id})
