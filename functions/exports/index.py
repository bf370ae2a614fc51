"""/api/admin/exports: how far exports are that a worker writes, their links, and an end to them."""

from functions.exports import ending, logic
from shared import auth
from shared.db import Connection, read, transaction
from shared.http import Request, Response, endpoint, serve
from shared.paging import Paging, page
from shared.repos import audit, export_jobs
from shared.repos.export_jobs import Job
from shared.storages import storage
from shared.times import now_ms
from shared.tokens import Claims

_PATH = "/api/admin/exports"


@endpoint("GET", _PATH)
def listed(request: Request) -> Response:
    claims = auth.signed_in(request)
    return Response.ok(read(_listed, claims, request.parse_query(Paging)))


@endpoint("GET", f"{_PATH}/*")
def shown(request: Request) -> Response:
    claims = auth.admitted_administrator(request)
    job = read(export_jobs.get, request.last_segment)
    if job.object_key is None or request.method == "HEAD":
        return Response.ok(logic.told(job))
    filename, expires_ms = logic.filename(job.object_key), now_ms() + logic.LINK_SECONDS * 1000
    url = storage(request.credentials).link(job.object_key, filename, logic.LINK_SECONDS)
    transaction(_write_down, claims, job)
    return Response.ok(logic.told(job, logic.link(url, expires_ms)))


@endpoint("DELETE", f"{_PATH}/*")
def ended(request: Request) -> Response:
    claims = auth.admitted_administrator(request)
    job = read(export_jobs.get, request.last_segment)
    if job.object_key:
        ending.remove(claims, job, storage(request.credentials))
    else:
        ending.cancel(claims, job)
    return Response.ok(logic.told(read(export_jobs.get, job.id)))


def _write_down(db: Connection, claims: Claims, job: Job) -> None:
    """Whoever has a link has the data, and need not be who asked for the export."""
    admin = auth.administrator(db, claims)
    audit.record(db, admin.id, "export.link", {"export": job.id})


def _listed(db: Connection, claims: Claims, paging: Paging) -> dict[str, object]:
    auth.administrator(db, claims)
    jobs = export_jobs.list_latest(db, after=paging.last, count=paging.count)
    return page("exports", jobs, paging, logic.told)


handler = serve(listed, shown, ended)
