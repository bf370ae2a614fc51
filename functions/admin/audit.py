"""GET /api/admin/audit: what administrators did."""

import json

from shared.accounts import auth
from shared.database.connection import Connection
from shared.database.transactions import read
from shared.repos import audit
from shared.repos.audit import Entry, Filter
from shared.times import iso_utc
from shared.web.endpoint import Request, Response, endpoint
from shared.web.pagination import ListQuery, page
from shared.web.periods import Period


class Wanted(ListQuery, Period):
    actor_id: str | None = None
    action: str | None = None


@endpoint("GET", "/api/admin/audit")
def listing(request: Request) -> Response:
    auth.admitted_administrator(request)
    return Response.ok(read(_list, request.parse_query(Wanted)))


def _list(db: Connection, wanted: Wanted) -> dict[str, object]:
    sought = Filter(wanted.actor_id, wanted.action, wanted.from_ms, wanted.to_ms)
    rows = audit.list_newest(db, sought, after=wanted.after, count=wanted.fetch_count)
    return page("entries", rows, wanted, tell)


def tell(entry: Entry) -> dict[str, object]:
    return {
        "id": entry.id,
        "at": iso_utc(entry.at_ms),
        "actor_id": entry.actor_id,
        "action": entry.action,
        "detail": json.loads(entry.detail),
    }


endpoints = (listing,)
