"""Starting the worker that writes an export."""

from shared.accounts.tokens import issue_service
from shared.exports.object_keys import WORKER, WORKER_PATH
from shared.repos.export_jobs import Job
from shared.workers import calls


def start(job: Job) -> None:
    """Raises: Misconfigured, WorkerUnreachable."""
    calls.start(WORKER_PATH, issue_service(WORKER, job.id))
