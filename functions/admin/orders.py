"""GET /api/admin/orders: what people bought."""

from typing import Literal

from shared.accounts import auth
from shared.database.connection import Connection
from shared.database.transactions import read
from shared.repos import orders
from shared.repos.orders import Filter, Order
from shared.times import iso_utc, iso_utc_if
from shared.web.endpoint import Request, Response, endpoint
from shared.web.pagination import ListQuery, page
from shared.web.periods import Period


class Wanted(ListQuery, Period):
    status: Literal["pending", "paid", "closed", "refunded"] | None = None
    user_id: str | None = None


@endpoint("GET", "/api/admin/orders")
def listing(request: Request) -> Response:
    auth.admitted_administrator(request)
    return Response.ok(read(_list, request.parse_query(Wanted)))


def _list(db: Connection, wanted: Wanted) -> dict[str, object]:
    sought = Filter(wanted.status, wanted.user_id, wanted.from_ms, wanted.to_ms)
    rows = orders.list_newest(db, sought, after=wanted.after, count=wanted.fetch_count)
    return page("orders", rows, wanted, tell)


def tell(order: Order) -> dict[str, object]:
    return {
        "number": order.number,
        "user_id": order.user_id,
        "package_id": order.package_id,
        "amount_fen": order.amount_fen,
        "credit_fen": order.credit_fen,
        "status": order.status,
        "transaction_id": order.transaction_id,
        "created_at": iso_utc(order.created_at_ms),
        "paid_at": iso_utc_if(order.paid_at_ms),
        "refunded_at": iso_utc_if(order.refunded_at_ms),
    }


endpoints = (listing,)
