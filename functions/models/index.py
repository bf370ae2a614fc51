"""GET /api/models: what people may choose from, and what it costs; for everyone."""

from functools import cache

from functions.models import logic
from functions.models.memory import Memory
from shared import offer, price_list, rates
from shared.db import Connection, is_configured, read
from shared.http import Request, Response, endpoint
from shared.repos import models


@endpoint("GET", "/api/models", limit=rates.by_address_of_guests("anonymous"))
def handler(request: Request) -> Response:
    listing, age_seconds = _memory().recall(_look)
    return logic.answer(listing, age_seconds, request.headers.get("if-none-match", ""))


@cache
def _memory() -> Memory:
    """One for the instance."""
    return Memory()


def _look() -> logic.Listing:
    environment = offer.in_environment()
    if not is_configured():
        return logic.listing(offer.offered(environment, []), {})
    return read(_stored, environment)


def _stored(db: Connection, environment: list[str]) -> logic.Listing:
    offered = offer.offered(environment, models.list_standing(db))
    return logic.listing(offered, price_list.of(db, [model.name for model in offered]))
