"""The list of models as a response, with its caching headers. Does no I/O."""

import hashlib
import json
from collections.abc import Mapping, Sequence

from shared.llm.model_list import Offered
from shared.pricing import Price, formula, price_json
from shared.web.endpoint import Response
from shared.web.lists import list_json

MOST_SECONDS = 300

ModelsJson = Mapping[str, object]


def models_json(models: Sequence[Offered], prices: Mapping[str, Price]) -> ModelsJson:
    """The first model is the default."""
    items = [
        {
            "name": model.name,
            "title": model.title,
            "vision": model.vision,
            "price": _price_json(prices.get(model.name)),
        }
        for model in models
    ]
    return {"default": models[0].name if models else None, **list_json(items)}


def _price_json(price: Price | None) -> Mapping[str, object] | None:
    """As in /api/credits/pricing; None where the credit system is off."""
    return {**price_json(price), "formula": formula(price.unit)} if price else None


def response(content: ModelsJson, age_seconds: int, known: str) -> Response:
    """`Age` is the time in this instance's cache (RFC 9111); 304 if the client has this list."""
    etag = f'W/"{_digest(content)}"'
    headers = {
        "Cache-Control": f"public, max-age={MOST_SECONDS}",
        "Age": str(age_seconds),
        "ETag": etag,
    }
    if _matches(known, etag):
        return Response(304, headers=headers)
    return Response(200, envelope={"code": 0, "message": "OK", "data": content}, headers=headers)


def _digest(content: ModelsJson) -> str:
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:32]


def _matches(known: str, etag: str) -> bool:
    """If-None-Match compares weakly (RFC 9110, 13.1.2)."""
    given = {one.strip().removeprefix("W/") for one in known.split(",")}
    return "*" in given or etag.removeprefix("W/") in given
