"""/api/admin/prices: what models cost, what they used to cost, and changing it."""

from dataclasses import asdict
from functools import partial
from typing import Literal

from pydantic import BaseModel

from functions.admin.fields import ModelName
from shared.accounts import auth
from shared.accounts.tokens import Claims
from shared.database.connection import Connection
from shared.database.transactions import read, transaction
from shared.limits.idempotency import ClientKey, client_key, once
from shared.money import price_list
from shared.money.price_list import NewPrice
from shared.pricing import Price, formula
from shared.repos import audit, prices
from shared.repos.prices import Version
from shared.repos.users import User
from shared.times import iso_utc
from shared.web.endpoint import Request, Response, endpoint
from shared.web.pagination import ListQuery, page


class Wanted(ListQuery):
    """With a model its history, the newest first; without one the latest price of each."""

    model: ModelName | None = None


class New(BaseModel):
    """`confirmed`: yes, more than a hundredfold, or another unit."""

    model: ModelName
    unit: Literal["message", "token"]
    message_fen: int = 0
    input_ufen: int = 0
    cached_ufen: int = 0
    output_ufen: int = 0
    confirmed: bool = False

    @property
    def price(self) -> NewPrice:
        return NewPrice(**self.model_dump(exclude={"confirmed"}))


@endpoint("GET", "/api/admin/prices")
def listing(request: Request) -> Response:
    auth.admitted_administrator(request)
    return Response.ok(read(_list, request.parse_query(Wanted)))


@endpoint("POST", "/api/admin/prices")
def change(request: Request) -> Response:
    claims, key = auth.admitted_administrator(request), client_key(request)
    return Response.ok(transaction(_change, claims, key, request.parse(New)), 201)


def _list(db: Connection, wanted: Wanted) -> dict[str, object]:
    if wanted.model is None:
        latest = [tell(version) for version in prices.list_latest(db)]
        return {"prices": latest, "next_cursor": None}
    rows = prices.list_versions(db, wanted.model, after=wanted.after, count=wanted.fetch_count)
    return page("prices", rows, wanted, tell)


def _change(db: Connection, claims: Claims, key: ClientKey | None, new: New) -> dict[str, object]:
    admin = auth.administrator(db, claims)
    return once(db, admin.id, key, partial(_add, db, admin, new))


def _add(db: Connection, admin: User, new: New) -> dict[str, object]:
    price = price_list.change(db, new.price, changed_by=admin.id, confirmed=new.confirmed)
    audit.record(db, admin.id, "price.change", {**asdict(price), "confirmed": new.confirmed})
    return _priced(price)


def tell(version: Version) -> dict[str, object]:
    return {
        **_priced(version.price),
        "changed_by": version.changed_by,
        "created_at": iso_utc(version.created_at_ms),
    }


def _priced(price: Price) -> dict[str, object]:
    return {**asdict(price), "formula": formula(price)}


endpoints = (listing, change)
