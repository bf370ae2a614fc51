"""GET /api/admin/orders: the orders of all users."""

from collections.abc import Sequence
from typing import Literal

from functions.admin.lists import list_page
from shared.database.connection import Connection
from shared.repos import orders
from shared.repos.orders import Order, OrderFilter
from shared.times import iso_utc, iso_utc_if
from shared.web.endpoint import Request, Response, endpoint
from shared.web.pagination import ListQuery
from shared.web.periods import Period


class OrdersQuery(ListQuery, Period):
    status: Literal["pending", "paid", "closed", "refunded"] | None = None
    user_id: str | None = None


@endpoint("GET", "/api/admin/orders", query=OrdersQuery)
def list_orders(request: Request) -> Response:
    return list_page(request, OrdersQuery, _find, order_json)


def _find(db: Connection, query: OrdersQuery) -> Sequence[Order]:
    filters = OrderFilter(query.status, query.user_id, query.from_ms, query.to_ms)
    return orders.list_newest(db, filters, after=query.after, count=query.fetch_count)


def order_json(order: Order) -> dict[str, object]:
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


endpoints = (list_orders,)
