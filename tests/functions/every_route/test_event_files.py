"""The event files of `scripts/invoke` and `s local invoke`: realistic, and answered."""

import json
from collections.abc import Callable
from importlib import import_module
from typing import Any

import pytest

from scripts.tooling.environment import ROOT
from shared.web.asgi import WebHandler
from tests.events import Context, Reply, call, v1_event
from tests.functions.chat.test_invoke import invoke
from tests.functions.test_maintenance import NOTHING
from tests.web import WebFunction

FUNCTIONS = sorted(path.parent for path in ROOT.glob("functions/*/index.py"))
NAMES = [folder.name for folder in FUNCTIONS]
TIMED = ["maintenance"]
CALLED = [name for name in NAMES if name not in TIMED]


def event(name: str) -> bytes:
    return (ROOT / "functions" / name / "event.json").read_bytes()


def shape(value: object) -> Any:
    """The fixed keys of an event, without the client's headers and parameters."""
    if not isinstance(value, dict):
        return type(value)
    maps = ("headers", "queryParameters")
    return {name: dict if name in maps else shape(item) for name, item in value.items()}


@pytest.mark.parametrize("name", CALLED)
def test_every_function_ships_a_genuine_v1_event(name: str) -> None:
    assert shape(json.loads(event(name))) == shape(json.loads(v1_event("GET", "/")))


@pytest.mark.parametrize("name", TIMED)
def test_every_timed_function_ships_a_genuine_timer_event(name: str) -> None:
    assert shape(json.loads(event(name))) == {
        "triggerTime": str,
        "triggerName": str,
        "payload": str,
    }


@pytest.mark.parametrize("name", CALLED)
def test_it_calls_an_endpoint_of_its_function(name: str) -> None:
    http = json.loads(event(name))["requestContext"]["http"]
    handler = import_module(f"functions.{name}.index").handler

    assert any(
        one.method == http["method"] and one.route(http["path"]) for one in handler.endpoints
    )


def answer(name: str) -> Reply:
    handler: Callable[[bytes, object], dict[str, Any]]
    handler = import_module(f"functions.{name}.index").handler
    return call(handler, event(name))


@pytest.mark.usefixtures("database")
def test_health_is_healthy() -> None:
    reply = answer("health")

    assert (reply.status, reply.data["status"]) == (200, "healthy")


@pytest.mark.usefixtures("database")
def test_register_opens_the_account_that_login_signs_in_to() -> None:
    before, opened, again, after = (
        answer(name) for name in ("login", "register", "register", "login")
    )

    assert [before.status, opened.status, again.status, after.status] == [401, 201, 409, 200]
    assert after.data["user"] == opened.data["user"]
    assert opened.data["user"]["username"] == "anna"


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize(
    "name", [name for name in CALLED if name not in {"chat", "health", "register", "login"}]
)
def test_every_other_function_answers_its_event(name: str) -> None:
    """Also functions that need a login: they refuse an anonymous event."""
    assert answer(name).status in {200, 401}


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("name", TIMED)
def test_every_timed_function_does_its_work_on_its_event(name: str) -> None:
    handler = import_module(f"functions.{name}.index").handler

    assert handler(event(name), Context()) == NOTHING


def test_chat_answers_its_event_in_chinese(chat: WebFunction) -> None:
    reply = invoke(chat, event("chat"))

    assert (reply.status, reply.json["code"]) == (200, 0)
    assert reply.data["reply"]


def test_only_a_web_function_needs_a_server_to_answer() -> None:
    web = [
        name
        for name in NAMES
        if isinstance(import_module(f"functions.{name}.index").handler, WebHandler)
    ]

    assert web == ["chat"]
