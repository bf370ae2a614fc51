"""GET /api/admin/export: hand a dataset to an administrator, and write down that it was."""

import json

from functions.export import inline
from functions.export.inline import File
from functions.export.query import Query
from shared import auth
from shared.db import read, transaction
from shared.exports import files
from shared.exports.wanted import Wanted
from shared.http import Request, Response, endpoint
from shared.ids import new_id
from shared.repos import audit
from shared.repos.audit import Entry
from shared.repos.users import User
from shared.times import now_ms


@endpoint("GET", "/api/admin/export")
def handler(request: Request) -> Response:
    admin = read(auth.administrator, auth.signed_in(request))
    wanted, export_id = request.parse_query(Query).wanted, new_id()
    if request.method == "HEAD":  # nothing leaves, so nothing is read or written down
        return _answer(wanted, export_id, b"")
    taken = read(inline.take, wanted, export_id)
    transaction(audit.add, _entry(export_id, admin, wanted, taken))
    return _answer(wanted, export_id, taken.body)


def _entry(export_id: str, admin: User, wanted: Wanted, taken: File) -> Entry:
    detail = {
        **wanted.filter,
        "rows": taken.rows,
        "bytes": len(taken.body),
        "sha256": taken.sha256,
    }
    return Entry(export_id, now_ms(), admin.id, "export", json.dumps(detail))


def _answer(wanted: Wanted, export_id: str, body: bytes) -> Response:
    """`inline`, because the platform does not let `attachment` pass."""
    headers = {"content_disposition": f'inline; filename="{wanted.filename(now_ms())}"'}
    label = files.aigc(wanted, export_id)
    if label:
        headers["x_aigc"] = label
    return Response.of(body, files.FORMATS[wanted.format].media_type, **headers)
