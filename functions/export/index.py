"""GET /api/admin/export: hand a dataset to an administrator, and write down that it was."""

import json

from functions.export import delivery
from functions.export.inline import File
from functions.export.query import Query
from shared.accounts import auth
from shared.accounts.tokens import Claims
from shared.database.connection import Connection
from shared.database.transactions import transaction
from shared.exports import files
from shared.exports.export_request import Wanted
from shared.ids import new_id
from shared.repos import audit
from shared.repos.audit import Entry
from shared.repos.export_jobs import Job
from shared.times import now_ms
from shared.web.endpoint import Request, Response, endpoint


@endpoint("GET", "/api/admin/export")
def handler(request: Request) -> Response:
    claims = auth.admitted_administrator(request)
    query, export_id = request.parse_query(Query), new_id()
    if request.method == "HEAD":  # nothing leaves, so nothing is read or written down
        return _answer(query.wanted, export_id, b"")
    taken = delivery.taken_inline(query, export_id)
    if taken is None:
        return _accepted(delivery.queue(claims, query.wanted, export_id))
    transaction(_write_down, claims, export_id, query.wanted, taken)
    return _answer(query.wanted, export_id, taken.body)


def _accepted(job: Job) -> Response:
    """Where to ask how far it is, and for the link."""
    return Response.ok(
        {"id": job.id, "state": job.state, "status_url": f"/api/admin/exports/{job.id}"}, 202
    )


def _write_down(
    db: Connection, claims: Claims, export_id: str, wanted: Wanted, taken: File
) -> None:
    detail = {
        **wanted.filter,
        "rows": taken.rows,
        "bytes": len(taken.body),
        "sha256": taken.sha256,
    }
    admin = auth.administrator(db, claims)
    audit.add(db, Entry(export_id, now_ms(), admin.id, "export", json.dumps(detail)))


def _answer(wanted: Wanted, export_id: str, body: bytes) -> Response:
    """`inline`, because the platform does not let `attachment` pass."""
    headers = {"content_disposition": f'inline; filename="{wanted.filename(now_ms())}"'}
    label = files.aigc(wanted, export_id)
    if label:
        headers["x_aigc"] = label
    return Response.of(body, files.FORMATS[wanted.format].media_type, **headers)
