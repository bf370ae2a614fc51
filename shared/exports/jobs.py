"""Starting the worker that writes an export file."""

from shared import settings
from shared.config import load
from shared.exports.object_keys import WORKER, WORKER_PATH
from shared.repos.export_jobs import Job
from shared.workers import worker


def start(job: Job) -> None:
    """Raises: Misconfigured, WorkerUnreachable."""
    base_url = load(settings.Workers).base_url
    worker.start(base_url, WORKER_PATH, worker.issue_service_token(WORKER, job.id))
