"""/api/admin/exports: list exports, read their progress and link, cancel or remove them."""

from functions.exports import cancellation, logic
from shared.accounts import auth
from shared.accounts.tokens import Claims
from shared.database.connection import Connection
from shared.database.transactions import read, transaction
from shared.repos import audit, export_jobs
from shared.repos.export_jobs import Job
from shared.storage.choice import storage
from shared.times import now_ms
from shared.web.endpoint import Request, Response, endpoint, serve
from shared.web.pagination import ListQuery, page

_PATH = "/api/admin/exports"


@endpoint("GET", _PATH, query=ListQuery)
def list_exports(request: Request) -> Response:
    claims = auth.signed_in(request)
    return Response.ok(read(_list, claims, request.parse_query(ListQuery)))


@endpoint("GET", f"{_PATH}/{{export_id}}")
def get_export(request: Request) -> Response:
    claims = auth.admitted_administrator(request)
    job = read(export_jobs.get, request.path["export_id"])
    if job.object_key is None or request.method == "HEAD":
        return Response.ok(logic.export_json(job))
    filename, expires_ms = logic.filename(job.object_key), now_ms() + logic.LINK_SECONDS * 1000
    url = storage(request.credentials).link(job.object_key, filename, logic.LINK_SECONDS)
    transaction(_record_link, claims, job)
    return Response.ok(logic.export_json(job, logic.link_json(url, expires_ms)))


@endpoint("DELETE", f"{_PATH}/{{export_id}}")
def end_export(request: Request) -> Response:
    claims = auth.admitted_administrator(request)
    job = read(export_jobs.get, request.path["export_id"])
    if job.object_key:
        cancellation.remove(claims, job, storage(request.credentials))
    else:
        cancellation.cancel(claims, job)
    return Response.ok(logic.export_json(read(export_jobs.get, job.id)))


def _record_link(db: Connection, claims: Claims, job: Job) -> None:
    """Each link is audited: it gives access to the data, also to another administrator's export."""
    admin = auth.administrator(db, claims)
    audit.record(db, admin.id, "export.link", {"export": job.id})


def _list(db: Connection, claims: Claims, query: ListQuery) -> dict[str, object]:
    auth.administrator(db, claims)
    jobs = export_jobs.list_latest(db, after=query.after, count=query.fetch_count)
    return page(jobs, query, logic.export_json)


handler = serve(list_exports, get_export, end_export)
