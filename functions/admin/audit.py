"""GET /api/admin/audit: the actions of administrators."""

import json
from collections.abc import Sequence

from functions.admin.lists import list_page
from shared.database.connection import Connection
from shared.repos import audit
from shared.repos.audit import AuditEntry, AuditFilter
from shared.times import iso_utc
from shared.web.endpoint import Request, Response, endpoint
from shared.web.pagination import ListQuery
from shared.web.periods import Period


class AuditQuery(ListQuery, Period):
    actor_id: str | None = None
    action: str | None = None


@endpoint("GET", "/api/admin/audit", query=AuditQuery)
def list_entries(request: Request) -> Response:
    return list_page(request, AuditQuery, _find, entry_json)


def _find(db: Connection, query: AuditQuery) -> Sequence[AuditEntry]:
    filters = AuditFilter(query.actor_id, query.action, query.from_ms, query.to_ms)
    return audit.list_newest(db, filters, after=query.after, count=query.fetch_count)


def entry_json(entry: AuditEntry) -> dict[str, object]:
    return {
        "id": entry.id,
        "at": iso_utc(entry.at_ms),
        "actor_id": entry.actor_id,
        "action": entry.action,
        "detail": json.loads(entry.detail),
    }


endpoints = (list_entries,)
