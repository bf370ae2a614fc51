"""GET /api/health, /health, / and /api/info: the state of the service, and a description."""

from functions.health.logic import health_response, info_json
from shared import settings
from shared.config import load
from shared.database import transactions
from shared.web.endpoint import Request, Response, endpoint, serve

_DATABASE_SECONDS = 0.8  # connect and ask: the answer must be there within 2 s


@endpoint("GET", "/api/health", "/health", "/")
def get_health(request: Request) -> Response:
    database = "not_configured"
    if transactions.is_configured():
        database = "connected" if transactions.is_reachable(_DATABASE_SECONDS) else "down"
    return health_response(database)


@endpoint("GET", "/api/info")
def get_info(request: Request) -> Response:
    content = info_json(
        has_database=transactions.is_configured(),
        chat=load(settings.Chat),
        quota=load(settings.Quota),
        invites=load(settings.Invites),
    )
    return Response.ok(content)


handler = serve(get_health, get_info)
