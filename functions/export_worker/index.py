"""POST /api/internal/exports: write one export into the storage; called by functions of ours."""

from functions.export_worker import production
from shared import auth
from shared.db import transaction
from shared.exports.places import WORKER, WORKER_PATH
from shared.http import Request, Response, endpoint
from shared.storages import storage
from shared.workers import Worker


@endpoint("POST", WORKER_PATH)
def write(request: Request) -> Response:
    export_id = auth.subject_of(request, WORKER)
    request.notes["export"] = export_id
    bucket = storage(request.credentials)
    job = transaction(production.take, export_id)
    state = production.run(job, bucket) if job else "ended"
    return Response.ok({"id": export_id, "state": state})


handler = Worker(write)
