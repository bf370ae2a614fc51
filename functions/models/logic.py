"""What the list of models says, and when it need not be sent again. Does no I/O."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict

from shared.llm.model_list import Offered
from shared.pricing import Price, formula
from shared.web.endpoint import Response

MOST_SECONDS = 300

Listing = Mapping[str, object]


def listing(models: Sequence[Offered], prices: Mapping[str, Price]) -> Listing:
    """The first model is the one that answers where nobody names one."""
    return {
        "default": models[0].name if models else None,
        "models": [
            {"name": model.name, "title": model.title, "price": _price(prices.get(model.name))}
            for model in models
        ],
    }


def _price(price: Price | None) -> Mapping[str, object] | None:
    """As in /api/credits/pricing; None where there is nothing to buy."""
    return {**asdict(price), "formula": formula(price)} if price else None


def answer(listing: Listing, age_seconds: int, known: str) -> Response:
    """`Age` keeps the caches from counting our own memory twice (RFC 9111)."""
    etag = f'W/"{_digest(listing)}"'
    headers = {
        "Cache-Control": f"public, max-age={MOST_SECONDS}",
        "Age": str(age_seconds),
        "ETag": etag,
    }
    if _matches(known, etag):
        return Response(304, headers=headers)
    return Response(200, envelope={"code": 0, "message": "OK", "data": listing}, headers=headers)


def _digest(listing: Listing) -> str:
    return hashlib.sha256(json.dumps(listing).encode()).hexdigest()[:32]


def _matches(known: str, etag: str) -> bool:
    """If-None-Match compares weakly (RFC 9110, 13.1.2)."""
    given = {one.strip().removeprefix("W/") for one in known.split(",")}
    return "*" in given or etag.removeprefix("W/") in given
