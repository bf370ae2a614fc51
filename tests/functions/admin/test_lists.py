"""Administrators list orders and the audit log."""

from dataclasses import replace
from typing import Any

import pytest

from shared.database.transactions import transaction
from shared.ids import new_id
from shared.repos import audit, orders
from shared.repos.audit import AuditEntry
from shared.repos.orders import Order
from tests.functions.admin.administering import ask
from tests.people import NOON_MS, add_user, admin_token

HOUR_MS = 3_600_000


def order(user_id: str, number: int, **changes: object) -> str:
    made = Order(
        number=f"20261122-{number:04}",
        user_id=user_id,
        package_id="small",
        amount_fen=1000,
        credit_fen=1200,
        status="pending",
        transaction_id=None,
        created_at_ms=NOON_MS + number // 2 * HOUR_MS,
        paid_at_ms=None,
        refunded_at_ms=None,
    )
    transaction(orders.add, replace(made, **changes))  # type: ignore[arg-type]  # of an order
    return made.number


def act(number: int, actor_id: str, action: str) -> str:
    entry = AuditEntry(new_id(), NOON_MS + number // 2 * HOUR_MS, actor_id, action, '{"n": "é"}')
    transaction(audit.add, entry)
    return entry.id


def listed(path: str, key: str, **query: str) -> list[str]:
    """All pages of a list, with three rows each."""
    token, seen = admin_token(), list[str]()
    query = {"limit": "3", **{one.rstrip("_"): text for one, text in query.items()}}
    while True:
        reply = ask(token, "GET", path, query=query)
        assert reply.status == 200, reply.body
        seen += [row[key] for row in reply.data["items"]]
        if reply.data["next_cursor"] is None:
            return seen
        query["cursor"] = reply.data["next_cursor"]


@pytest.mark.usefixtures("database")
def test_an_order_is_told_whole() -> None:
    anna = add_user()
    number = order(
        anna.id,
        0,
        status="refunded",
        transaction_id="420000",
        paid_at_ms=NOON_MS + 1,
        refunded_at_ms=NOON_MS + 2,
    )

    assert ask(admin_token(), "GET", "orders").data == {
        "items": [
            {
                "number": number,
                "user_id": anna.id,
                "package_id": "small",
                "amount_fen": 1000,
                "credit_fen": 1200,
                "status": "refunded",
                "transaction_id": "420000",
                "created_at": "2026-11-22T12:00:00.000Z",
                "paid_at": "2026-11-22T12:00:00.001Z",
                "refunded_at": "2026-11-22T12:00:00.002Z",
            }
        ],
        "next_cursor": None,
    }


@pytest.mark.usefixtures("database")
def test_orders_come_newest_first_and_filters_are_taken_together() -> None:
    anna, ben = add_user().id, add_user().id
    numbers = [order(anna if n % 2 else ben, n, status="pending") for n in range(6)]
    paid = [order(anna, n, status="paid", transaction_id=f"t{n}") for n in range(6, 10)]

    def found(**query: str) -> list[str]:
        return listed("orders", "number", **query)

    assert found() == [*numbers, *paid][::-1]
    assert found(status="paid") == paid[::-1]
    assert found(user_id=ben) == [numbers[4], numbers[2], numbers[0]]
    assert found(from_="2026-11-22T14:00:00Z", to="2026-11-22T16:00:00Z") == [
        paid[1],
        paid[0],
        numbers[5],
        numbers[4],
    ]
    assert found(user_id=anna, status="pending", to="2026-11-22T13:00:00Z") == [numbers[1]]
    assert found(user_id="nobody") == []
    assert found(status="", user_id="", from_="") == found()


@pytest.mark.usefixtures("database")
def test_the_audit_log_comes_newest_first_and_filters_are_taken_together() -> None:
    one, other = new_id(), new_id()
    acts = [act(n, one if n % 2 else other, "user.disable") for n in range(6)]
    late = act(7, one, "user.role")
    told = ask(admin_token(), "GET", "audit", query={"limit": "1"}).data["items"]

    def found(**query: str) -> list[str]:
        return listed("audit", "id", **query)

    assert told == [
        {
            "id": late,
            "at": "2026-11-22T15:00:00.000Z",
            "actor_id": one,
            "action": "user.role",
            "detail": {"n": "é"},
        }
    ]
    in_order = [late, *(id for n in (4, 2, 0) for id in sorted(acts[n : n + 2], reverse=True))]
    assert found() == in_order
    assert found(actor_id=other) == [acts[4], acts[2], acts[0]]
    assert found(action="user.role") == [late]
    assert found(actor_id=one, action="user.disable", from_="2026-11-22T13:00:00Z") == [
        acts[5],
        acts[3],
    ]
    assert found(action="user") == []


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize(
    ("path", "query", "field"),
    [
        ("orders", {"status": "lost"}, "query.status"),
        ("orders", {"from": "yesterday"}, "query.from"),
        ("orders", {"from": "2026-11-23", "to": "2026-11-22"}, "query"),
        ("orders", {"limit": "0"}, "query.limit"),
        ("audit", {"cursor": "YWJj"}, "query.cursor"),
        ("audit", {"to": "1795305600"}, "query.to"),
    ],
)
def test_what_means_nothing_is_refused(path: str, query: dict[str, Any], field: str) -> None:
    reply = ask(admin_token(), "GET", path, query=query)

    assert (reply.status, reply.error) == (422, "invalid_request")
    assert [detail["field"] for detail in reply.json["details"]] == [field]
