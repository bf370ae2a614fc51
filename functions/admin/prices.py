"""/api/admin/prices: list the prices of models with their history, and change them."""

from typing import Annotated, Literal

from pydantic import Field

from functions.admin.creation import create_once
from functions.admin.fields import ModelName
from functions.admin.token_prices import TokenPrices, exact
from shared.accounts import auth
from shared.database.connection import Connection
from shared.database.transactions import read, transaction
from shared.limits.idempotency import client_key
from shared.money import price_list
from shared.money.price_list import NewPrice
from shared.pricing import Price, formula, price_json
from shared.repos import audit, prices
from shared.repos.prices import Version
from shared.repos.users import User
from shared.times import iso_utc
from shared.web.endpoint import Request, Response, endpoint
from shared.web.lists import list_json
from shared.web.pagination import ListQuery, page


class PricesQuery(ListQuery):
    """With a model: its history, newest first. Without one: the latest price of each model."""

    model: ModelName | None = None


class ChangePrice(TokenPrices):
    """`confirmed` allows a change of more than a hundredfold, or to another unit."""

    model: ModelName
    unit: Literal["message", "token"]
    message_fen: Annotated[int, Field(strict=True)] | None = None
    confirmed: bool = False

    @property
    def price(self) -> NewPrice:
        return NewPrice(self.model, self.unit, self.message_fen, **self.in_ufen)


@endpoint("GET", "/api/admin/prices", query=PricesQuery)
def list_prices(request: Request) -> Response:
    auth.admitted_administrator(request)
    return Response.ok(read(_list, request.parse_query(PricesQuery)))


@endpoint("POST", "/api/admin/prices", body=ChangePrice)
def change_price(request: Request) -> Response:
    claims, key = auth.admitted_administrator(request), client_key(request)
    body = request.parse(ChangePrice, parse_float=exact)
    return Response.ok(transaction(create_once, claims, key, _add, body), 201)


def _list(db: Connection, query: PricesQuery) -> dict[str, object]:
    """The latest prices are never cut into pages."""
    if query.model is None:
        return list_json([version_json(version) for version in prices.list_latest(db)])
    rows = prices.list_versions(db, query.model, after=query.after, count=query.fetch_count)
    return page(rows, query, version_json)


def _add(db: Connection, admin: User, body: ChangePrice) -> dict[str, object]:
    price = price_list.change(db, body.price, changed_by=admin.id, confirmed=body.confirmed)
    audit.record(db, admin.id, "price.change", {**price_json(price), "confirmed": body.confirmed})
    return _with_formula(price)


def version_json(version: Version) -> dict[str, object]:
    return {
        **_with_formula(version.price),
        "changed_by": version.changed_by,
        "created_at": iso_utc(version.created_at_ms),
    }


def _with_formula(price: Price) -> dict[str, object]:
    return {**price_json(price), "formula": formula(price.unit)}


endpoints = (list_prices, change_price)
