"""The common steps of every endpoint: routes, envelopes, errors, limits."""

import json
import uuid
from typing import Any

import pytest
from pydantic import BaseModel

from shared.errors import Conflict, TooManyRequests
from shared.web.endpoint import Request, Response, endpoint, serve
from tests.conftest import Configure
from tests.events import Reply, invoke
from tests.shared.web.mirror import mirror

pytestmark = pytest.mark.usefixtures("configure")


class Order(BaseModel):
    name: str
    amount_fen: int


class Page(BaseModel):
    size: int = 20


@endpoint("POST", "/orders", body=Order)
def order(request: Request) -> Response:
    return Response.ok(request.parse(Order).model_dump(), status=201)


@endpoint("GET", "/orders", query=Page)
def orders(request: Request) -> Response:
    return Response.ok(request.parse_query(Page).model_dump())


@endpoint("GET", "/defect")
def defect(request: Request) -> Response:
    raise ValueError("SELECT password FROM users")


@endpoint("GET", "/taken")
def taken(request: Request) -> Response:
    raise Conflict(email="anna@example.com")


@endpoint("GET", "/busy")
def busy(request: Request) -> Response:
    raise TooManyRequests(retry_after_seconds=7)


@endpoint("GET", "/unsayable")
def unsayable(request: Request) -> Response:
    return Response.ok({"password": object()})


shop = serve(order, orders, defect, taken, busy, unsayable)


def body_of(reply: Reply) -> dict[str, Any]:
    return dict(reply.json)


def test_an_answer_is_an_envelope_with_the_request_id() -> None:
    reply = invoke(shop, "POST", "/orders", json_body={"name": "药", "amount_fen": 100})

    assert reply.status == 201
    assert body_of(reply) == {
        "code": 0,
        "message": "OK",
        "data": {"name": "药", "amount_fen": 100},
        "request_id": "1-event",
    }
    assert dict(reply.headers) == {
        "Content-Type": "application/json; charset=utf-8",
        "Cache-Control": "no-store",
        "Vary": "Origin",
        "X-Content-Type-Options": "nosniff",
        "X-Request-Id": "1-event",
    }


def test_an_unknown_path_is_not_found() -> None:
    reply = invoke(shop, "GET", "/nowhere")

    assert reply.status == 404
    assert body_of(reply) == {
        "code": 404,
        "message": "There is nothing here.",
        "error": "not_found",
        "request_id": "1-event",
    }
    assert reply.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("path", ["/orders/", "//orders", "/Orders", "/orders/1", ""])
def test_a_path_is_known_letter_for_letter(path: str) -> None:
    assert invoke(shop, "GET", path).status == 404


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "BREW"])
def test_a_wrong_method_is_told_the_right_ones(method: str) -> None:
    reply = invoke(shop, method, "/orders")

    assert (reply.status, reply.error) == (405, "method_not_allowed")
    assert reply.headers["Allow"] == "GET, HEAD, OPTIONS, POST"


def test_head_answers_as_get_without_the_body() -> None:
    get, head = (invoke(mirror, method, "/mirror") for method in ("GET", "HEAD"))

    assert (head.status, head.headers, head.body) == (200, get.headers, b"")


def test_head_is_refused_where_there_is_no_get() -> None:
    reply = invoke(serve(order), "HEAD", "/orders")

    assert (reply.status, reply.headers["Allow"], reply.body) == (405, "OPTIONS, POST", b"")


def test_options_lists_the_methods() -> None:
    reply = invoke(shop, "OPTIONS", "/orders")

    assert (reply.status, reply.body) == (204, b"")
    assert reply.headers["Allow"] == "GET, HEAD, OPTIONS, POST"


def test_options_for_an_unknown_path_is_not_found() -> None:
    reply = invoke(shop, "OPTIONS", "/nowhere")

    assert (reply.status, reply.error) == (404, "not_found")


def test_every_wrong_field_is_named_with_its_problem() -> None:
    reply = invoke(shop, "POST", "/orders", json_body={"amount_fen": "much"})

    assert (reply.status, reply.error) == (422, "invalid_request")
    assert reply.json["details"] == [
        {"field": "body.name", "problem": "is required"},
        {"field": "body.amount_fen", "problem": "must be a whole number"},
    ]


def test_a_wrong_query_parameter_is_named_as_such() -> None:
    reply = invoke(shop, "GET", "/orders", query={"size": "all"})

    assert [detail["field"] for detail in reply.json["details"]] == ["query.size"]


@pytest.mark.parametrize("body", [b"[]", b"null", b"1", b'"text"', b"true"])
def test_json_that_is_no_object_is_invalid(body: bytes) -> None:
    reply = invoke(shop, "POST", "/orders", body=body)

    assert (reply.status, reply.error) == (422, "invalid_request")
    assert [detail["field"] for detail in reply.json["details"]] == ["body"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"{'a': 1}",
        b'{"name": NaN}',
        b'{"amount_fen": Infinity}',
        b'{"name": "\\ud800"}',
        b'{"\\uDFFF": 1}',
        b'{"name": "\xff"}',
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"amount_fen": ' + b"9" * 10_000 + b"}",
    ],
    ids=lambda body: body[:30].decode("latin-1"),
)
def test_malformed_json_is_called_that(body: bytes) -> None:
    reply = invoke(shop, "POST", "/orders", body=body, encoded=True)

    assert (reply.status, reply.error) == (400, "malformed_json")


@pytest.mark.parametrize(
    "body", [b'{"name":"\\\\ud800","amount_fen":1}', b'{"name":"\\ud83d\\udc3c","amount_fen":1}']
)
def test_escapes_that_are_no_lone_surrogates_pass(body: bytes) -> None:
    assert invoke(shop, "POST", "/orders", body=body).data["name"] in {"\\ud800", "🐼"}


def test_a_byte_order_mark_is_forgiven() -> None:
    body = b"\xef\xbb\xbf" + json.dumps({"name": "a", "amount_fen": 1}).encode()

    assert invoke(shop, "POST", "/orders", body=body).status == 201


@pytest.mark.parametrize(("length", "status"), [(10, 200), (11, 413)])
def test_a_body_may_be_as_long_as_its_endpoint_says(length: int, status: int) -> None:
    assert invoke(mirror, "POST", "/file", body=b"x" * length).status == status


@pytest.mark.parametrize(("length", "status"), [(2**20, 200), (2**20 + 1, 413)])
def test_a_body_is_at_most_a_mebibyte_unless_said_otherwise(length: int, status: int) -> None:
    reply = invoke(mirror, "POST", "/mirror", body=b"x" * length, encoded=True)

    assert reply.status == status
    assert status == 200 or reply.error == "payload_too_large"


@pytest.mark.parametrize("path", ["/defect", "/unsayable"])
def test_a_defect_tells_a_stranger_nothing_but_the_request_id(path: str) -> None:
    reply = invoke(shop, "GET", path)

    assert reply.status == 500
    assert body_of(reply) == {
        "code": 500,
        "message": "Something went wrong.",
        "error": "internal_error",
        "request_id": "1-event",
    }


def test_what_an_error_knows_for_the_log_is_not_told() -> None:
    reply = invoke(shop, "GET", "/taken")

    assert body_of(reply) == {
        "code": 409,
        "message": "This conflicts with what is already there.",
        "error": "conflict",
        "request_id": "1-event",
    }


def test_an_error_says_when_to_come_back() -> None:
    reply = invoke(shop, "GET", "/busy")

    assert (reply.status, reply.headers["Retry-After"]) == (429, "7")


def test_envelope_always_200_is_about_business_errors_only(configure: Configure) -> None:
    configure(ENVELOPE_ALWAYS_200="true")

    assert [
        (reply.status, reply.json["code"])
        for reply in (
            invoke(shop, "GET", "/taken"),
            invoke(shop, "GET", "/nowhere"),
            invoke(shop, "POST", "/orders", body=b"{"),
            invoke(shop, "POST", "/orders", json_body={"name": "a", "amount_fen": 1}),
            invoke(shop, "GET", "/defect"),
        )
    ] == [(200, 409), (200, 404), (200, 400), (201, 0), (500, 500)]


def test_a_request_with_an_id_costs_no_other_id(monkeypatch: pytest.MonkeyPatch) -> None:
    """Making one took a tenth of the time of a warm call."""
    made = list[uuid.UUID]()
    new = uuid.uuid4

    def count() -> uuid.UUID:
        made.append(new())
        return made[-1]

    monkeypatch.setattr(uuid, "uuid4", count)

    assert invoke(shop, "GET", "/orders").status == 200
    assert made == []
    assert shop(b"{", None)["statusCode"] == 400
    assert len(made) == 1
