"""/api/location: report one's place with consent, list the reports and delete them."""

from functools import partial

from functions.location import logic
from functions.location.logic import LocationsQuery, ReportLocation
from shared import settings
from shared.accounts import auth
from shared.accounts.tokens import Claims
from shared.config import load
from shared.database.connection import Connection
from shared.database.transactions import read, transaction
from shared.errors import NotFound
from shared.ids import new_id
from shared.limits import rate_limits
from shared.limits.idempotency import ClientKey, client_key, once
from shared.repos import locations
from shared.repos.locations import RecordedPeriod
from shared.times import now_ms
from shared.web.endpoint import Request, Response, endpoint, serve
from shared.web.pagination import page


@endpoint("POST", "/api/location/report", body=ReportLocation)
def report_location(request: Request) -> Response:
    """The key stands for the rounded report: from a hash of exact coordinates they can be guessed.

    The key keeps the id alone, so that nothing of a deleted report stays with it; a repetition
    of a deleted one is 404. A repetition reads after its transaction, whose snapshot on MySQL
    may be older than the first report.
    """
    claims, exact = auth.signed_in(request), request.parse(ReportLocation)
    logic.require_consent(exact)
    report = logic.rounded(exact, load(settings.Location).decimals)
    key = client_key(request, asked=report.model_dump(mode="json"))
    rate_limits.take(rate_limits.of_user("location", claims.user_id))
    location_id = transaction(_report, claims, key, report)
    stored = read(locations.get_for, location_id, claims.user_id)
    return Response.ok(logic.location_json(stored), 201)


@endpoint("GET", "/api/location", query=LocationsQuery)
def list_locations(request: Request) -> Response:
    claims = auth.signed_in(request)
    return Response.ok(read(_list, claims, request.parse_query(LocationsQuery)))


@endpoint("DELETE", "/api/location/{location_id}")
def delete_location(request: Request) -> Response:
    location_id = request.path["location_id"]
    transaction(_delete, auth.signed_in(request), location_id)
    return Response.ok({"id": location_id})


@endpoint("DELETE", "/api/location")
def delete_locations(request: Request) -> Response:
    return Response.ok({"deleted": transaction(_delete_all, auth.signed_in(request))})


def _report(db: Connection, claims: Claims, key: ClientKey | None, report: ReportLocation) -> str:
    """Store the report and return its id, or the id of the first report with this key."""
    user = auth.active_user(db, claims)
    return str(once(db, user.id, key, partial(_store, db, user.id, report))["id"])


def _store(db: Connection, user_id: str, report: ReportLocation) -> dict[str, object]:
    location = logic.location_of(report, new_id(), user_id, now_ms())
    locations.add(db, location)
    return {"id": location.id}


def _list(db: Connection, claims: Claims, query: LocationsQuery) -> dict[str, object]:
    user, period = auth.active_user(db, claims), RecordedPeriod(query.from_ms, query.to_ms)
    rows = locations.list_of(db, user.id, period, after=query.after, count=query.fetch_count)
    return page(rows, query, logic.location_json)


def _delete(db: Connection, claims: Claims, location_id: str) -> None:
    """Raises: InvalidToken, NotFound."""
    user = auth.active_user(db, claims)
    if location_id.endswith(" ") or not locations.remove_for(db, location_id, user.id):
        raise NotFound  # MySQL ignores blanks at the end


def _delete_all(db: Connection, claims: Claims) -> int:
    return locations.remove_all(db, auth.active_user(db, claims).id)


handler = serve(report_location, list_locations, delete_location, delete_locations)
