"""GET /api/health, /health and /api/info: is it up, and what is it."""

from functions.health.logic import about, verdict
from shared.database import transactions
from shared.web.endpoint import Request, Response, endpoint, serve

_DATABASE_SECONDS = 0.8  # connect and ask: the answer must be there within 2 s


@endpoint("GET", "/api/health", "/health")
def health(request: Request) -> Response:
    database = "not_configured"
    if transactions.is_configured():
        database = "connected" if transactions.is_reachable(_DATABASE_SECONDS) else "down"
    return verdict(database)


@endpoint("GET", "/api/info")
def info(request: Request) -> Response:
    return Response.ok(about(has_database=transactions.is_configured()))


handler = serve(health, info)
