"""GET /api/health, /health, / and /api/info: the state of the service, and a description."""

from functions.health.logic import healthy_response, info_json, unhealthy_response
from shared import settings
from shared.config import load
from shared.database import transactions
from shared.errors import DatabaseNotConfigured, DatabaseUnavailable
from shared.media.allowed_types import allowed_types
from shared.web.endpoint import Request, Response, endpoint, serve

_DATABASE_SECONDS = 0.8  # connect and ask: the answer must be there within 2 s


@endpoint("GET", "/api/health", "/health", "/")
def get_health(request: Request) -> Response:
    """The log has the reason, such as the code of the database; the answer has only its kind."""
    try:
        return healthy_response(_database())
    except (DatabaseUnavailable, DatabaseNotConfigured) as failure:
        request.notes.update(error=failure.name, context=failure.context)
        return unhealthy_response(failure)


@endpoint("GET", "/api/info")
def get_info(request: Request) -> Response:
    content = info_json(
        chat=load(settings.Chat),
        quota=load(settings.Quota),
        invites=load(settings.Invites),
        uploads=load(settings.Uploads),
        file_types=allowed_types(),
        unmetered=None if transactions.is_configured() else load(settings.Unmetered),
    )
    return Response.ok(content)


def _database() -> str:
    """Raises: DatabaseUnavailable, DatabaseNotMigrated; DatabaseNotConfigured, if it is needed."""
    if transactions.is_configured():
        transactions.check(_DATABASE_SECONDS)
        return "connected"
    if not load(settings.Unmetered).is_allowed:
        raise DatabaseNotConfigured
    return "not_configured"


handler = serve(get_health, get_info)
