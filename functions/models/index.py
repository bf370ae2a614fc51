"""GET /api/models: the models on offer and their prices. Public."""

from functools import cache

from functions.models import logic
from functions.models.cache import ModelsCache
from shared.database.connection import Connection
from shared.database.transactions import is_configured, read
from shared.limits import rate_limits
from shared.llm import model_list
from shared.money import price_list
from shared.repos import models
from shared.web.endpoint import Request, Response, endpoint


@endpoint("GET", "/api/models", limit=rate_limits.by_address_of_guests("anonymous"))
def handler(request: Request) -> Response:
    models_json, age_seconds = _cache().get(_load)
    return logic.response(models_json, age_seconds, request.headers.get("if-none-match", ""))


@cache
def _cache() -> ModelsCache:
    """One for the instance."""
    return ModelsCache()


def _load() -> logic.ModelsJson:
    environment = model_list.in_environment()
    if not is_configured():
        return logic.models_json(model_list.offered(environment, []), {})
    return read(_stored, environment)


def _stored(db: Connection, environment: list[str]) -> logic.ModelsJson:
    offered = model_list.offered(environment, models.list_statuses(db))
    return logic.models_json(offered, price_list.of(db, [model.name for model in offered]))
