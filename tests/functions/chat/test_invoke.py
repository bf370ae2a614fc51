"""POST /invoke: calls with events, only from the platform."""

import json
from typing import Any

import pytest

from tests.events import Reply, v1_event
from tests.fakes.upstream import PIECES, SENTENCE, Upstream
from tests.functions.chat.chatting import PATH, Stream, events_of
from tests.web import WebFunction

PLATFORM = {"X-Fc-Request-Id": "1-6740-invoke", "X-Fc-Control-Path": "/invoke"}


def invoke(web: WebFunction, event: bytes) -> Reply:
    """Send an event as the platform does, and check the four keys of the answer."""
    answer = web.client.post("/invoke", content=event, headers=PLATFORM)
    assert (answer.status_code, answer.headers["x-request-id"]) == (200, "1-6740-invoke")
    told = answer.json()
    assert {key: type(value) for key, value in told.items()} == {
        "statusCode": int,
        "headers": dict,
        "isBase64Encoded": bool,
        "body": str,
    }
    assert told["isBase64Encoded"] is False
    return Reply(told["statusCode"], told["headers"], told["body"].encode())


def event(body: object, **more: Any) -> bytes:
    return v1_event("POST", PATH, body=json.dumps(body).encode(), **more)


@pytest.mark.parametrize("encoded", [False, True])
def test_an_event_is_answered_with_the_four_keys(encoded: bool, chat: WebFunction) -> None:
    reply = invoke(chat, event({"message": "你好"}, encoded=encoded))

    assert (reply.status, reply.data["reply"]) == (200, SENTENCE)
    assert dict(reply.headers) == {
        "X-Request-Id": "1-event",
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "no-store",
        "Vary": "Origin",
        "Content-Type": "application/json; charset=utf-8",
    }


def test_a_stream_comes_back_gathered(chat: WebFunction) -> None:
    reply = invoke(chat, event({"message": "你好", "stream": True}))

    stream = Stream(reply.status, reply.headers, reply.body)
    assert (stream.status, stream.text, stream.last.name) == (200, SENTENCE, "done")
    assert reply.headers["Content-Type"] == "text/event-stream; charset=utf-8"


def test_a_gathered_stream_that_broke_off_ends_with_the_error(chat: WebFunction) -> None:
    reply = invoke(chat, event({"message": "scenario: error-later", "stream": True}))

    said = events_of(reply.body)
    assert [one.name for one in said] == ["start", "delta", "error"]
    assert said[1].data == {"text": PIECES[0]}


@pytest.mark.parametrize(
    ("sent", "status", "error"),
    [
        (event({"message": ""}), 422, "invalid_request"),
        (event({"message": "scenario: status-500"}), 502, "upstream_error"),
        (v1_event("GET", PATH), 405, "method_not_allowed"),
        (v1_event("POST", "/invoke", body=b"{}"), 404, "not_found"),
        (v1_event("POST", PATH, body=b"x" * 1_100_000), 413, "payload_too_large"),
        (b'{"triggerTime": "x", "triggerName": "t", "payload": ""}', 400, "malformed_request"),
        (b"{}", 400, "malformed_request"),
        (b"", 400, "malformed_request"),
        (b"\xff", 400, "malformed_request"),
        (b"[" * 100_000, 400, "malformed_request"),
    ],
)
def test_what_is_wrong_with_an_event_is_told_inside_the_answer(
    sent: bytes, status: int, error: str, chat: WebFunction
) -> None:
    reply = invoke(chat, sent)

    assert (reply.status, reply.error) == (status, error)


def test_the_event_says_where_a_guest_comes_from(
    stored: WebFunction, guest_ip: str, fake: Upstream
) -> None:
    asked = {"message": "你好"}
    told = [
        invoke(stored, event(asked, ip=guest_ip, headers=headers)).data["quota"]["used_today"]
        for headers in ({}, {"X-Forwarded-For": "1.2.3.4"}, {"x-forwarded-for": guest_ip})
    ]

    assert told == [1, 2, 3]


OUTSIDE = {
    "through the gateway": {"X-Forwarded-For": "203.0.113.9"},
    "through the gateway, forged": {
        **PLATFORM,
        "X-Forwarded-For": "203.0.113.9",
    },
    "without an address": {**PLATFORM, "X-Forwarded-For": ""},
    "as an HTTP request": {**PLATFORM, "X-Fc-Control-Path": "/http-invoke"},
    "without any header": {},
    "without the control path": {"X-Fc-Request-Id": "1-6740-invoke"},
    "without a request id": {"X-Fc-Control-Path": "/invoke"},
    "forged, beside the platform's": {**PLATFORM, "X-Fc-Control-Path": "/invoke,/http-invoke"},
    "by another proxy": {**PLATFORM, "X-Real-IP": "203.0.113.9"},
    "by a standard proxy": {**PLATFORM, "Forwarded": "for=203.0.113.9"},
    "by a browser": {**PLATFORM, "Origin": "https://app.example.com"},
}


@pytest.mark.parametrize("headers", OUTSIDE.values(), ids=list(OUTSIDE))
@pytest.mark.parametrize("path", ["/invoke", "/%69nvoke", "/invoke?x=1"])
def test_nobody_outside_can_send_an_event(
    path: str, headers: dict[str, str], chat: WebFunction, fake: Upstream
) -> None:
    answer = chat.client.post(path, content=event({"message": "hi"}), headers=headers)

    assert (answer.status_code, answer.json()["error"]) == (404, "not_found")
    assert fake.requests == []


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_only_post_invokes(method: str, chat: WebFunction) -> None:
    assert chat.client.request(method, "/invoke").status_code == 404
