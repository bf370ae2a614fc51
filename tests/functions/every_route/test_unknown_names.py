"""No route of our own ignores input: what it does not know is refused, and has no effect."""

from collections.abc import Mapping

import pytest

from shared.database.transactions import read
from tests.events import Reply
from tests.functions.every_route.fair_requests import Person, fair, person
from tests.functions.every_route.routes import ROUTES, Caller, Route
from tests.functions.every_route.test_forged_tokens import everything

OURS = [route for route in ROUTES if not route.path.startswith("/v1/")]
NAME = "unheard_of"


def fields(reply: Reply) -> list[str]:
    return [one["field"] for one in reply.json.get("details", ())]


def problems(reply: Reply) -> dict[str, str]:
    return {one["field"]: one["problem"] for one in reply.json["details"]}


def ask_without_effect(
    caller: Caller,
    route: Route,
    admin: Person,
    body: Mapping[str, object] | None = None,
    **more: Mapping[str, str],
) -> Reply:
    """Send a fair request, with `body` added to its body, and see that it changes nothing."""
    asked = fair(route, person(), admin)
    before = read(everything)
    sent = asked.body if body is None else {**(asked.body or {}), **body}
    reply = caller.ask(route, *asked.ids, token=asked.token, body=sent, **more)
    assert read(everything) == before, str(route)
    return reply


def test_every_route_refuses_an_unknown_query_parameter(caller: Caller) -> None:
    admin = person("admin")
    for route in OURS:
        reply = ask_without_effect(caller, route, admin, query={NAME: ""})

        assert (reply.status, f"query.{NAME}" in fields(reply)) == (422, True), str(route)


def test_every_route_refuses_an_unknown_field_of_its_body(caller: Caller) -> None:
    admin = person("admin")
    for route in OURS:
        reply = ask_without_effect(caller, route, admin, {NAME: None})

        assert (reply.status, f"body.{NAME}" in fields(reply)) == (422, True), str(route)


def test_every_route_that_writes_refuses_a_body_that_is_not_called_json(caller: Caller) -> None:
    admin = person("admin")
    for route in (one for one in ROUTES if one.writes):
        for header in ({"Content-Type": "text/plain"}, {"Origin": "https://elsewhere.example.com"}):
            untyped = {"Content-Type": ""} | header
            reply = ask_without_effect(caller, route, admin, {}, headers=untyped)

            assert reply.status == 415, (str(route), header)
            assert b'"unsupported_media_type"' in reply.body, (str(route), header)


def test_every_route_takes_the_language_and_an_empty_object(caller: Caller) -> None:
    """Otherwise the tests above could pass with any request."""
    admin = person("admin")
    for route in OURS:
        asked = fair(route, person(), admin)
        body = asked.body if asked.body is not None else {}
        reply = caller.ask(route, *asked.ids, token=asked.token, body=body, query={"lang": "zh"})

        refused = fields(reply) if reply.status == 422 else []
        assert not {"query.lang", "body"} & set(refused), str(route)
        assert reply.status < 300 or not route.writes, (str(route), reply.body)


def route_of(name: str) -> Route:
    return next(route for route in OURS if str(route) == name)


@pytest.mark.parametrize(
    ("route", "body", "field", "problem"),
    [
        (
            "POST /api/chat",
            {"message": "Hi", "conversationId": "01"},
            "body.conversationId",
            "is not known; did you mean conversation_id?",
        ),
        (
            "POST /api/chat",
            {"messages": [{"role": "user", "content": "Hi"}, {"Role": "user", "content": "Hi"}]},
            "body.messages.1.Role",
            "is not known; did you mean role?",
        ),
        (
            "POST /api/auth/login",
            {"emial": "anna@example.com", "password": "a password"},
            "body.emial",
            "is not known; did you mean email?",
        ),
    ],
)
def test_the_nearest_known_field_is_named(
    caller: Caller, route: str, body: object, field: str, problem: str
) -> None:
    reply = caller.ask(route_of(route), token=person().token, body=body)

    assert (reply.status, problems(reply)[field]) == (422, problem)


def test_a_filter_that_a_list_does_not_have_is_refused_with_those_it_has(caller: Caller) -> None:
    asked = {"query": {"user_id": "01ABC"}, "token": person("admin").token}
    reply = caller.ask(route_of("GET /api/admin/audit"), **asked)  # type: ignore[arg-type]
    chinese = caller.ask(
        route_of("GET /api/admin/audit"),
        **asked,  # type: ignore[arg-type]
        headers={"Accept-Language": "zh-CN"},
    )

    known = ("from", "to", "limit", "cursor", "actor_id", "action")
    assert problems(reply) == {"query.user_id": f"is not known; known are {', '.join(known)}"}
    assert problems(chinese) == {"query.user_id": f"未知；可用的有 {', '.join(known)}"}
