"""POST /api/internal/exports: write one export into the storage. Called by other functions."""

from functions.export_worker import writing
from shared.database.transactions import transaction
from shared.exports.object_keys import WORKER, WORKER_PATH
from shared.storage.choice import storage
from shared.web.endpoint import Request, Response, endpoint
from shared.workers.worker import Worker, subject_of


@endpoint("POST", WORKER_PATH)
def write(request: Request) -> Response:
    export_id = subject_of(request, WORKER)
    request.notes["export"] = export_id
    bucket = storage(request.credentials)
    job = transaction(writing.claim, export_id)
    state = writing.run(job, bucket) if job else "ended"
    return Response.ok({"id": export_id, "state": state})


handler = Worker(write)
