"""GET /api/admin/export: hand a dataset to an administrator, and write down that it was."""

import json

from functions.export import file
from functions.export.file import File
from functions.export.wanted import Wanted
from shared import auth
from shared.db import read, transaction
from shared.http import Request, Response, endpoint
from shared.ids import new_id
from shared.repos import audit
from shared.repos.audit import Entry
from shared.repos.users import User
from shared.times import iso_utc, now_ms


@endpoint("GET", "/api/admin/export")
def handler(request: Request) -> Response:
    admin = read(auth.administrator, auth.signed_in(request))
    wanted, export_id = request.parse_query(Wanted), new_id()
    if request.method == "HEAD":  # nothing leaves, so nothing is read or written down
        return _answer(wanted, export_id, b"")
    taken = read(file.take, wanted, export_id)
    transaction(audit.add, _entry(export_id, admin, wanted, taken))
    return _answer(wanted, export_id, taken.body)


def _entry(export_id: str, admin: User, wanted: Wanted, taken: File) -> Entry:
    detail = {
        "dataset": wanted.dataset,
        "format": wanted.format,
        "from": iso_utc(wanted.from_ms) if wanted.from_ else None,
        "to": iso_utc(wanted.to_ms) if wanted.to else None,
        "rows": taken.rows,
        "bytes": len(taken.body),
        "sha256": taken.sha256,
    }
    return Entry(export_id, now_ms(), admin.id, "export", json.dumps(detail))


def _answer(wanted: Wanted, export_id: str, body: bytes) -> Response:
    """`inline`, because the platform does not let `attachment` pass."""
    day = iso_utc(now_ms())[:10].replace("-", "")
    headers = {"content_disposition": f'inline; filename="{wanted.dataset}-{day}.{wanted.format}"'}
    label = file.aigc(wanted, export_id)
    if label:
        headers["x_aigc"] = label
    return Response.of(body, file.FORMATS[wanted.format].media_type, **headers)
