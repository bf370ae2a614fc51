"""Administrators offer models."""

import json
import re
from typing import Any

import pytest

from tests.functions.admin.administering import ask
from tests.functions.exports.exporting import audit_entries
from tests.people import admin_token


def names(token: str) -> list[str]:
    return [model["name"] for model in ask(token, "GET", "models").data["items"]]


def done() -> list[tuple[str, Any]]:
    """The audited actions, sorted: two may happen in one millisecond."""
    entries = [(entry.action, json.loads(entry.detail)) for entry in audit_entries()]
    return sorted(entries, key=str)


@pytest.mark.usefixtures("database")
def test_a_model_is_stored_told_and_written_down() -> None:
    token = admin_token()

    made = ask(token, "POST", "models", {"name": "Qwen/Qwen3-8B", "title": " Qwen 3 "})

    at = made.data["created_at"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", at)
    assert (made.status, made.data) == (
        201,
        {
            "name": "Qwen/Qwen3-8B",
            "title": "Qwen 3",
            "enabled": True,
            "created_at": at,
            "updated_at": at,
        },
    )
    assert ask(token, "GET", "models").data == {"items": [made.data], "next_cursor": None}
    detail = {"name": "Qwen/Qwen3-8B", "title": "Qwen 3", "enabled": True}
    assert done() == [("model.create", detail)]


@pytest.mark.usefixtures("database")
def test_what_is_not_given_stays_as_it_is() -> None:
    token = admin_token()
    ask(token, "POST", "models", {"name": "m", "title": "First"})

    told = []
    for change in ({"enabled": False}, {"title": "Second"}, {"enabled": True}, {}):
        reply = ask(token, "PATCH", "models", {"name": "m", **change})
        told.append((reply.status, reply.data["title"], reply.data["enabled"]))

    assert told == [
        (200, "First", False),
        (200, "Second", False),
        (200, "Second", True),
        (200, "Second", True),
    ]
    assert done() == [
        ("model.change", {"name": "m", "enabled": False}),
        ("model.change", {"name": "m", "enabled": True}),
        ("model.change", {"name": "m", "title": "Second"}),
        ("model.change", {"name": "m"}),
        ("model.create", {"name": "m", "title": "First", "enabled": True}),
    ]


@pytest.mark.usefixtures("database")
def test_there_is_one_of_each_name_and_none_of_others() -> None:
    token = admin_token()
    ask(token, "POST", "models", {"name": "m"})

    again = ask(token, "POST", "models", {"name": "m", "title": "Other"})
    unknown = ask(token, "PATCH", "models", {"name": "n", "title": "Other"})

    assert (again.status, again.error) == (409, "name_taken")
    assert (unknown.status, unknown.error) == (404, "not_found")
    assert [action for action, _ in done()] == ["model.create"]
    assert ask(token, "GET", "models").data["items"][0]["title"] == "m"


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "name"),
        ({"name": ""}, "name"),
        ({"name": "m "}, "name"),
        ({"name": "a b"}, "name"),
        ({"name": "a\u0000"}, "name"),
        ({"name": "a\u3000b"}, "name"),
        ({"name": "m" * 129}, "name"),
        ({"name": 5}, "name"),
        ({"name": "m", "title": " "}, "title"),
        ({"name": "m", "title": "a\nb"}, "title"),
        ({"name": "m", "title": "t" * 101}, "title"),
        ({"name": "m", "enabled": "maybe"}, "enabled"),
    ],
)
def test_what_is_no_model_is_refused(body: object, field: str) -> None:
    token = admin_token()
    for method in ("POST", "PATCH"):
        reply = ask(token, method, "models", body)
        assert (reply.status, reply.error) == (422, "invalid_request")
        assert [detail["field"] for detail in reply.json["details"]] == [f"body.{field}"]
    assert names(token) == []
    assert done() == []
