"""Starting the worker that writes an export."""

from shared import worker_calls
from shared.exports.places import WORKER, WORKER_PATH
from shared.repos.export_jobs import Job
from shared.tokens import issue_service


def start(job: Job) -> None:
    """Raises: Misconfigured, WorkerUnreachable."""
    worker_calls.start(WORKER_PATH, issue_service(WORKER, job.id))
