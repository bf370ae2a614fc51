"""Input that a route does not know, and bodies that are not JSON by their type."""

import json

import pytest
from pydantic import BaseModel

from shared.web.endpoint import Request, Response, endpoint, serve
from tests.events import Reply, invoke

pytestmark = pytest.mark.usefixtures("configure")


class Item(BaseModel):
    unit_price: int = 0


class Order(BaseModel):
    name: str
    items: list[Item] | None = None


class Filter(BaseModel):
    page_size: int = 20


@endpoint("POST", "/orders", body=Order)
def order(request: Request) -> Response:
    return Response.ok(request.parse(Order).model_dump(exclude_none=True))


@endpoint("GET", "/orders", query=Filter)
def orders(request: Request) -> Response:
    return Response.ok(request.parse_query(Filter).model_dump())


@endpoint("DELETE", "/orders")
def clear(request: Request) -> Response:
    return Response.ok("cleared")


@endpoint("POST", "/elsewhere", is_strict=False)
def elsewhere(request: Request) -> Response:
    return Response.ok(request.parse(Order).model_dump(exclude_none=True))


shop = serve(order, orders, clear, elsewhere)
FAIR = {"name": "tea"}


def post(body: object, path: str = "/orders", **headers: str) -> Reply:
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return invoke(shop, "POST", path, body=json.dumps(body).encode(), headers=named)


def details(reply: Reply) -> list[tuple[str, str]]:
    assert (reply.status, reply.error) == (422, "invalid_request")
    return [(one["field"], one["problem"]) for one in reply.json["details"]]


@pytest.mark.parametrize(
    ("body", "field", "nearest"),
    [
        ({"Name": "x"}, "body.Name", "name"),
        ({"nmae": "x"}, "body.nmae", "name"),
        ({"items": [{}, {"unitPrice": 1}]}, "body.items.1.unitPrice", "unit_price"),
        ({"items": [{"unit-price": 1}]}, "body.items.0.unit-price", "unit_price"),
    ],
)
def test_an_unknown_field_is_named_with_the_nearest_known_one(
    body: dict[str, object], field: str, nearest: str
) -> None:
    assert details(post({**FAIR, **body})) == [(field, f"is not known; did you mean {nearest}?")]


def test_without_a_near_name_all_known_ones_are_listed() -> None:
    assert details(post({**FAIR, "role": "admin"})) == [
        ("body.role", "is not known; known are name, items")
    ]
    reply = invoke(shop, "GET", "/orders", query={"cache": ""})
    assert details(reply) == [("query.cache", "is not known; known are page_size")]


def test_a_long_name_is_cut_and_many_names_are_not_all_listed() -> None:
    [(field, _)] = details(post({**FAIR, "x" * 100_000: 1}))
    many = details(post({**FAIR, **{f"x{number}": 1 for number in range(10_000)}}))

    assert field == "body." + "x" * 64
    assert len(many) == 20


def test_a_route_without_parameters_or_body_refuses_both() -> None:
    by_query = invoke(shop, "DELETE", "/orders", query={"all": "1"})
    by_body = invoke(shop, "DELETE", "/orders", json_body={"all": 1})
    by_list = invoke(shop, "DELETE", "/orders", json_body=[])

    assert details(by_query) == [("query.all", "is not known; there are none here")]
    assert details(by_body) == [("body.all", "is not known; there are none here")]
    assert details(by_list) == [("body", "must be empty here")]
    assert invoke(shop, "DELETE", "/orders", query={"lang": "en"}, body=b" {} ").status == 200


def test_another_api_ignores_what_it_does_not_know() -> None:
    reply = post({**FAIR, "role": "admin"}, "/elsewhere")

    assert (reply.status, reply.data) == (200, FAIR)
    assert post(FAIR, "/elsewhere", Content_Type="text/plain").status == 415


@pytest.mark.parametrize(
    "media_type",
    [
        "application/json",
        "Application/JSON;charset=UTF-8",
        "application/json ; charset=utf-8",
        "application/vnd.api+json",
        "",
    ],
)
def test_json_passes_under_all_its_names(media_type: str) -> None:
    assert post(FAIR, Content_Type=media_type).status == 200


@pytest.mark.parametrize(
    "media_type",
    [
        "text/plain",
        "text/plain;charset=UTF-8",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=json",
        "application/jsonp",
        "text/json",
        "text/plain, application/json",
        "application/json, text/plain",
    ],
)
def test_other_types_are_refused(media_type: str) -> None:
    reply = post(FAIR, Content_Type=media_type)

    assert (reply.status, reply.error) == (415, "unsupported_media_type")


def test_a_page_in_a_browser_must_name_the_type() -> None:
    """It can send a body without a type to any origin, without asking first."""
    page = "https://elsewhere.example.com"

    assert post(FAIR, Origin=page).status == 415
    assert post(FAIR, Origin=page, Content_Type="application/json").status == 200
    assert invoke(shop, "DELETE", "/orders", headers={"Origin": page}).status == 200


def test_a_body_with_very_many_problems_is_refused_without_a_list_of_them() -> None:
    few, many = ({**FAIR, **{f"x{n}": 0 for n in range(count)}} for count in (10_000, 10_001))

    assert len(details(post(few))) == 20
    assert details(post(many)) == [("body", "has too many problems to list")]
