"""GET /api/admin/export: export a dataset, and record it in the audit log."""

import json

from functions.export import delivery
from functions.export.inline import InlineFile
from functions.export.query import ExportQuery
from shared.accounts import auth
from shared.accounts.tokens import Claims
from shared.database.connection import Connection
from shared.database.transactions import transaction
from shared.exports import files
from shared.exports.export_request import ExportRequest
from shared.ids import new_id
from shared.repos import audit
from shared.repos.audit import AuditEntry
from shared.repos.export_jobs import Job
from shared.times import now_ms
from shared.web.endpoint import Request, Response, endpoint


@endpoint("GET", "/api/admin/export", query=ExportQuery)
def handler(request: Request) -> Response:
    claims = auth.admitted_administrator(request)
    query, export_id = request.parse_query(ExportQuery), new_id()
    if request.method == "HEAD":  # no data leaves, so nothing is read or audited
        return _file_response(query.export_request, export_id, b"")
    file = delivery.write_inline(query, export_id)
    if file is None:
        return _accepted(delivery.queue(claims, query.export_request, export_id))
    transaction(_record, claims, export_id, query.export_request, file)
    return _file_response(query.export_request, export_id, file.body)


def _accepted(job: Job) -> Response:
    """`status_url` shows the progress, and the link when the file is complete."""
    return Response.ok(
        {"id": job.id, "state": job.state, "status_url": f"/api/admin/exports/{job.id}"}, 202
    )


def _record(
    db: Connection, claims: Claims, export_id: str, request: ExportRequest, file: InlineFile
) -> None:
    detail = {
        **request.filter,
        "rows": file.rows,
        "bytes": len(file.body),
        "sha256": file.sha256,
    }
    admin = auth.administrator(db, claims)
    audit.add(db, AuditEntry(export_id, now_ms(), admin.id, "export", json.dumps(detail)))


def _file_response(request: ExportRequest, export_id: str, body: bytes) -> Response:
    """`inline`, because the platform removes `attachment`."""
    headers = {"content_disposition": f'inline; filename="{request.filename(now_ms())}"'}
    label = files.aigc(request, export_id)
    if label:
        headers["x_aigc"] = label
    return Response.of(body, files.FORMATS[request.format].media_type, **headers)
