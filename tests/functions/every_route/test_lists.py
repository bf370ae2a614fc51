"""Every list has one shape: its items, and the cursor of the next page."""

from functions.models import index as models_index
from shared.database.transactions import transaction
from shared.ids import new_id
from shared.money import price_list
from shared.money.price_list import NewPrice
from shared.repos import audit
from tests.functions.every_route.fair_requests import FAIR, Person, fair, person
from tests.functions.every_route.routes import ROUTES, Caller, Route

LISTS = {
    "/api/admin/audit",
    "/api/admin/credits",
    "/api/admin/exports",
    "/api/admin/invites",
    "/api/admin/models",
    "/api/admin/orders",
    "/api/admin/prices",
    "/api/admin/upstreams",
    "/api/admin/users",
    "/api/auth/sessions",
    "/api/conversations",
    "/api/conversations/{conversation_id}/messages",
    "/api/credits/pricing",
    "/api/credits/transactions",
    "/api/location",
    "/api/media",
    "/api/drugs",
    "/api/models",
}
DOCUMENTS = {"/api/admin/usage", "/api/info"}  # a list is a part of them


def read_all(caller: Caller, one: Person, admin: Person) -> dict[str, dict[str, object]]:
    """The data of every path of ours that answers JSON, by path."""
    found = {}
    for route in (one for one in ROUTES if one.method == "GET" and "/v1/" not in one.path):
        ids = (one.conversation_id,) if "conversation_id" in route.path else (one.id,)
        query = {"user_id": one.id} if route.path == "/api/admin/credits" else {}
        reply = caller.ask(route, *ids, token=fair(route, one, admin).token, query=query)
        if reply.status == 200 and b'"request_id":' in reply.body[-100:]:
            found[route.path] = reply.data
    return found


def test_every_list_is_items_and_the_next_cursor(caller: Caller) -> None:
    one, admin = person(), person("admin")
    make_rows(caller, one, admin)
    models_index._cache.cache_clear()  # tests before this one have other models

    found = read_all(caller, one, admin)

    with_a_list = {path for path, data in found.items() if has_a_list(data)}
    assert with_a_list == LISTS | DOCUMENTS
    for path in LISTS:
        items = found[path]["items"]
        assert isinstance(items, list), path
        assert items or path == "/api/admin/orders", path
        assert found[path]["next_cursor"] is None, path


def has_a_list(data: dict[str, object]) -> bool:
    return any(isinstance(value, list) for value in data.values())


def make_rows(caller: Caller, one: Person, admin: Person) -> None:
    """Something to list everywhere but among orders, which no route makes yet."""
    for name in ("POST /api/admin/upstreams", "DELETE /api/admin/exports/{export_id}"):
        asked = FAIR[name](one, admin)
        caller.ask(route_of(name), *asked.ids, token=asked.token, body=asked.body)
    price = NewPrice("test-model", "message", message_fen=30)
    transaction(price_list.change, price, changed_by=new_id())
    transaction(audit.record, admin.id, "test", {})


def route_of(name: str) -> Route:
    return next(route for route in ROUTES if str(route) == name)
