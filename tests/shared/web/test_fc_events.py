"""All forms of Function Compute's HTTP events, and the replies they need."""

import json
from types import SimpleNamespace
from typing import Any

import pytest

from tests.events import Reply, call, invoke, v1_event
from tests.shared.web.mirror import mirror

pytestmark = pytest.mark.usefixtures("configure")


def changed(event: bytes, **parts: object) -> bytes:
    return json.dumps({**json.loads(event), **parts}).encode()


def without(event: bytes, *parts: str) -> bytes:
    return json.dumps({k: v for k, v in json.loads(event).items() if k not in parts}).encode()


def with_http(event: bytes, **http: object) -> bytes:
    data = json.loads(event)
    data["requestContext"]["http"].update(http)
    return json.dumps(data).encode()


def refused(reply: Reply) -> dict[str, object]:
    """The body of an error without its request id, which the header must repeat."""
    body: dict[str, Any] = dict(reply.json)
    assert body.pop("request_id") == reply.headers["X-Request-Id"]
    return {"status": reply.status, **body}


MALFORMED = {
    "status": 400,
    "code": 400,
    "message": "The request cannot be understood.",
    "error": "malformed_request",
}


def test_an_endpoint_sees_the_request_as_it_was_sent() -> None:
    reply = invoke(
        mirror, "POST", "/mirror", body="药".encode(), headers={"X-A": "1"}, query={"q": "药"}
    )

    assert reply.data == {
        "method": "POST",
        "path": "/mirror",
        "headers": {"x-a": "1"},
        "query": {"q": "药"},
        "body": "药".encode().decode("latin-1"),
        "client_ip": "203.0.113.7",
    }


@pytest.mark.parametrize("name", ["Authorization", "authorization", "AUTHORIZATION"])
def test_headers_are_found_whatever_their_case(name: str) -> None:
    reply = invoke(mirror, "GET", "/mirror", headers={name: "Bearer x"})

    assert reply.data["headers"] == {"authorization": "Bearer x"}


def test_an_empty_get_that_claims_base64_is_read() -> None:
    reply = invoke(mirror, "GET", "/mirror", encoded=True)

    assert (reply.status, reply.data["body"]) == (200, "")


def test_a_base64_body_is_decoded_whatever_its_content_type() -> None:
    body = b'{"a": "\xff\x00"}'
    headers = {"Content-Type": "application/json"}

    reply = invoke(mirror, "POST", "/mirror", body=body, headers=headers, encoded=True)

    assert reply.data["body"].encode("latin-1") == body


def test_a_body_that_looks_like_base64_and_is_not_stays_as_it_is() -> None:
    reply = invoke(mirror, "POST", "/mirror", body=b"aGVsbG8=", headers={"Content-Type": ""})

    assert reply.data["body"] == "aGVsbG8="


def test_the_null_query_of_the_local_runner_is_no_query() -> None:
    assert invoke(mirror, "GET", "/mirror", query={"null": ""}).data["query"] == {}


def test_a_query_that_holds_more_than_null_is_kept() -> None:
    query = {"null": "", "page": "2"}

    assert invoke(mirror, "GET", "/mirror", query=query).data["query"] == query


def test_a_percent_encoded_path_finds_its_endpoint() -> None:
    event = v1_event("GET", "/镜子")
    assert b"/%E9%95%9C%E5%AD%90" in event

    assert call(mirror, event).data["path"] == "/镜子"


def test_a_path_is_decoded_once() -> None:
    reply = call(mirror, changed(v1_event("GET", "/x"), rawPath="/%256dirror"))

    assert (reply.status, reply.error) == (404, "not_found")


def test_the_decoded_path_serves_where_the_raw_one_is_missing_and_is_not_decoded_again() -> None:
    event = without(v1_event("GET", "/mirror"), "rawPath")

    assert call(mirror, event).data["path"] == "/mirror"
    assert call(mirror, with_http(event, path="/%6dirror")).status == 404


def test_only_method_and_path_are_needed() -> None:
    event = json.dumps({"requestContext": {"http": {"method": "get", "path": "/mirror"}}})

    reply = call(mirror, event.encode())

    assert reply.data == {
        "method": "GET",
        "path": "/mirror",
        "headers": {},
        "query": {},
        "body": "",
        "client_ip": "unknown",
    }


@pytest.mark.parametrize("part", ["headers", "queryParameters", "body"])
def test_parts_may_be_null(part: str) -> None:
    assert call(mirror, changed(v1_event("GET", "/mirror"), **{part: None})).status == 200


def test_the_event_may_come_as_text() -> None:
    reply = mirror(v1_event("GET", "/mirror").decode(), SimpleNamespace())  # type: ignore[arg-type]  # some runners do

    assert reply["statusCode"] == 200


@pytest.mark.parametrize(
    "event",
    [
        b"",
        b"\xff\xfe\xfd",
        b"null",
        b"[]",
        b'"text"',
        b"42",
        b"{}",
        b"{",
        b"[" * 100_000,
        b'{"requestContext": null}',
        b'{"requestContext": {"http": []}}',
        b'{"requestContext": {"http": {"method": 1, "path": "/mirror"}}}',
        b'{"triggerTime": "2026-11-22T00:00:00Z", "triggerName": "t", "payload": ""}',
    ],
    ids=lambda event: event[:40].decode("latin-1"),
)
def test_what_is_no_http_event_is_refused(event: bytes) -> None:
    assert refused(call(mirror, event)) == MALFORMED


@pytest.mark.parametrize(
    "parts",
    [
        {"body": "no base64!", "isBase64Encoded": True},
        {"body": "\ud800"},
        {"body": {"a": 1}},
        {"headers": ["a"]},
        {"headers": "a"},
        {"queryParameters": ["a"]},
        {"rawPath": "/%FF"},
        {"rawPath": ["/mirror"]},
        {"rawPath": 7},
    ],
    ids=str,
)
def test_an_event_with_an_impossible_part_is_refused(parts: dict[str, object]) -> None:
    assert refused(call(mirror, changed(v1_event("POST", "/mirror"), **parts))) == MALFORMED


def test_the_platforms_request_id_goes_all_the_way() -> None:
    reply = invoke(mirror, "GET", "/mirror")

    assert (reply.headers["X-Request-Id"], reply.json["request_id"]) == ("1-event", "1-event")


def test_without_one_in_the_event_the_contexts_request_id_counts() -> None:
    event = changed(
        v1_event("GET", "/mirror"), requestContext={"http": {"method": "GET", "path": "/mirror"}}
    )

    assert call(mirror, event).headers["X-Request-Id"] == "1-context"


@pytest.mark.parametrize("given", ["a\r\nSet-Cookie: x=1", "", "é", "x" * 65, 7, None, {"a": 1}])
def test_a_request_id_unfit_for_a_header_is_replaced(given: object) -> None:
    data = json.loads(v1_event("GET", "/mirror"))
    data["requestContext"]["requestId"] = given

    reply = mirror(json.dumps(data).encode(), SimpleNamespace(request_id=given))

    headers: Any = reply["headers"]
    body: Any = reply["body"]
    assert headers["X-Request-Id"] == json.loads(body)["request_id"]
    assert len(headers["X-Request-Id"]) == 32
    assert int(headers["X-Request-Id"], 16) > 0


def test_bytes_that_are_no_text_leave_in_base64() -> None:
    reply = invoke(mirror, "POST", "/file", body=b"\xff\x00", encoded=True)

    assert (reply.body, reply.headers["Content-Type"]) == (b"\xff\x00", "application/octet-stream")
    assert reply.headers["X-Length"] == "2"
