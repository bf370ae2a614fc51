"""GET /api/models: what people may choose from, and what it costs; for everyone."""

from functools import cache

from functions.models import logic
from functions.models.cache import Memory
from shared.database.connection import Connection
from shared.database.transactions import is_configured, read
from shared.limits import rate_limits
from shared.llm import model_list
from shared.money import price_list
from shared.repos import models
from shared.web.endpoint import Request, Response, endpoint


@endpoint("GET", "/api/models", limit=rate_limits.by_address_of_guests("anonymous"))
def handler(request: Request) -> Response:
    listing, age_seconds = _memory().recall(_look)
    return logic.answer(listing, age_seconds, request.headers.get("if-none-match", ""))


@cache
def _memory() -> Memory:
    """One for the instance."""
    return Memory()


def _look() -> logic.Listing:
    environment = model_list.in_environment()
    if not is_configured():
        return logic.listing(model_list.offered(environment, []), {})
    return read(_stored, environment)


def _stored(db: Connection, environment: list[str]) -> logic.Listing:
    offered = model_list.offered(environment, models.list_statuses(db))
    return logic.listing(offered, price_list.of(db, [model.name for model in offered]))
