"""Any input is answered below 500, in the envelope, and without an exception."""

import base64
import contextlib
import io
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conftest import Configure
from tests.functions.every_route.bad_input import (
    TARGETS,
    Target,
    each_target,
    each_target_by_event,
    each_target_with_a_body,
    event_of,
    out_of_reach,
    survives,
    web,
)

few = settings(
    max_examples=40,
    deadline=None,  # bcrypt and a shared machine have no fixed pace
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture(autouse=True)
def _world(configure: Configure, tmp_path_factory: pytest.TempPathFactory) -> None:
    out_of_reach(configure, tmp_path_factory.getbasetemp() / "bad-input.db")


texts = st.text(st.characters(exclude_categories=()), max_size=40)  # surrogates too
numbers = st.integers() | st.floats() | st.sampled_from([2**31, 2**63, -(2**63) - 1, 10**400])
scalars = st.none() | st.booleans() | numbers | texts
anything = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=8,
)
methods = (
    st.sampled_from(["GET", "HEAD", "POST", "OPTIONS", "PUT", "get", "", "TRACE", "é"]) | texts
)
interesting_headers = st.sampled_from(
    [
        "authorization",
        "origin",
        "accept-language",
        "x-forwarded-for",
        "content-type",
        "accept",
        "host",
        "x-fc-request-id",
        "Content-Length",
    ]
)


def some(keys: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=keys)


events = some(
    {
        "version": anything,
        "rawPath": anything | st.sampled_from([target.path for target in TARGETS]),
        "body": anything | st.binary().map(lambda raw: base64.b64encode(raw).decode()),
        "isBase64Encoded": anything | st.booleans(),
        "headers": anything | st.dictionaries(interesting_headers | texts, anything, max_size=4),
        "queryParameters": anything | st.dictionaries(texts, anything, max_size=4),
        "requestContext": anything
        | some(
            {
                "requestId": anything,
                "http": anything
                | some(
                    {
                        "method": anything | methods,
                        "path": anything | st.sampled_from([target.path for target in TARGETS]),
                        "sourceIp": anything,
                    }
                ),
            }
        ),
    }
)


@each_target_by_event
@few
@given(event=st.binary(max_size=300) | texts.map(lambda text: text.encode("utf-8", "replace")))
def test_arbitrary_bytes_are_no_event(target: Target, event: bytes) -> None:
    survives(target, event)


@each_target_by_event
@few
@given(event=anything)
def test_arbitrary_json_is_no_event(target: Target, event: object) -> None:
    survives(target, json.dumps(event).encode())


@each_target_by_event
@few
@given(event=events)
def test_events_of_arbitrary_parts_are_answered(target: Target, event: object) -> None:
    survives(target, json.dumps(event).encode())


@each_target
@few
@given(body=st.binary(max_size=300))
def test_arbitrary_bytes_are_no_body(target: Target, body: bytes) -> None:
    survives(target, event_of(target, body=body))


@each_target_with_a_body
@few
@given(data=st.data())
def test_arbitrary_values_in_known_and_unknown_fields_are_answered(
    target: Target, data: st.DataObject
) -> None:
    known = st.fixed_dictionaries({}, optional=dict.fromkeys(target.fields, anything))
    fields = {**data.draw(st.dictionaries(texts, anything, max_size=2)), **data.draw(known)}

    survives(target, event_of(target, body=json.dumps(fields).encode()))


@each_target_with_a_body
@few
@given(
    email=st.emails() | texts,
    username=st.none() | texts,
    password=st.text(min_size=1, max_size=1100),
    said=texts,
)
def test_well_formed_requests_with_arbitrary_texts_are_answered(
    target: Target, email: str, username: str | None, password: str, said: str
) -> None:
    person = {"email": email, "username": username, "password": password}
    question = {"messages": [{"role": "user", "content": said}], "locale": said, "model": said}
    body = question if "chat" in target.name else person

    survives(target, event_of(target, body=json.dumps(body).encode()))


@pytest.mark.usefixtures("database")
@few
@given(
    email=texts,
    username=texts.filter(bool) | st.none(),
    password=st.text(st.characters(exclude_categories=["Cs"]), min_size=8, max_size=80),
)
def test_accounts_take_arbitrary_texts_on_every_database(
    email: str, username: str | None, password: str
) -> None:
    person = {"email": f"{email}@example.com", "username": username, "password": password}

    for target in TARGETS[:2]:
        survives(target, event_of(target, body=json.dumps(person).encode()))


@each_target
@few
@given(headers=st.dictionaries(interesting_headers, texts, max_size=5))
def test_arbitrary_headers_are_answered(target: Target, headers: dict[str, str]) -> None:
    survives(target, event_of(target, headers=headers))


@each_target
@few
@given(token=st.text(st.characters(max_codepoint=255), max_size=200))
def test_arbitrary_tokens_are_answered(target: Target, token: str) -> None:
    body = b'{"message": "hi"}'
    survives(target, event_of(target, body=body, headers={"authorization": f"Bearer {token}"}))


@each_target
@few
@given(method=methods, path=texts | st.sampled_from([target.path for target in TARGETS]))
def test_arbitrary_methods_and_paths_are_answered(target: Target, method: str, path: str) -> None:
    survives(target, event_of(target, method=method, path=path))


@each_target_by_event
@few
@given(
    query=st.dictionaries(
        st.sampled_from(["lang", "dataset", "format", "from", "to", "delivery"]) | texts,
        texts | st.sampled_from(["users", "csv", "2026-11-22", "9" * 400, "0001-01-01T00:00:00Z"]),
        max_size=5,
    )
)
def test_arbitrary_queries_are_answered(target: Target, query: dict[str, str]) -> None:
    survives(target, event_of(target, query=query))


@few
@given(query=st.binary(max_size=200), path=st.text(max_size=40))
def test_arbitrary_urls_of_the_web_function_are_answered(query: bytes, path: str) -> None:
    with contextlib.redirect_stdout(io.StringIO()):
        assert web("POST", f"/{path}", query=query).status < 500
        assert web("POST", "/api/chat", query=query).status in {400, 422}
