"""Calls functions as Function Compute does: with the bytes of a v1 event."""

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

Handler = Callable[[bytes, object], dict[str, Any]]


@dataclass(frozen=True)
class Context:
    """The part of FC's context that handlers use."""

    request_id: str = "1-context"


@dataclass(frozen=True)
class Reply:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def data(self) -> Any:
        return self.json["data"]

    @property
    def error(self) -> str:
        return str(self.json["error"])


def v1_event(
    method: str,
    path: str,
    *,
    body: bytes = b"",
    headers: Mapping[str, str] | None = None,
    query: Mapping[str, str] | None = None,
    ip: str = "203.0.113.7",
    encoded: bool = False,
) -> bytes:
    event = {
        "version": "v1",
        "rawPath": quote(path),
        "body": base64.b64encode(body).decode() if encoded else body.decode(),
        "isBase64Encoded": encoded,
        "headers": dict(headers or {}),
        "queryParameters": dict(query or {}),
        "requestContext": {
            "accountId": "123456789",
            "domainName": "api.example.com",
            "domainPrefix": "api",
            "requestId": "1-event",
            "time": "2026-11-22T00:00:00Z",
            "timeEpoch": "1795305600000",
            "http": {
                "method": method,
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": ip,
                "userAgent": "test",
            },
        },
    }
    return json.dumps(event).encode()


def call(handler: Handler, event: bytes) -> Reply:
    """Call a handler and check its answer: four keys with their types, one text per header."""
    answer = handler(event, Context())
    assert {key: type(value) for key, value in answer.items()} == {
        "statusCode": int,
        "headers": dict,
        "isBase64Encoded": bool,
        "body": str,
    }
    assert all(type(value) is str for pair in answer["headers"].items() for value in pair)
    text = answer["body"]
    body = base64.b64decode(text) if answer["isBase64Encoded"] else text.encode()
    return Reply(answer["statusCode"], answer["headers"], body)


def invoke(
    handler: Handler,
    method: str,
    path: str,
    *,
    json_body: object = None,
    token: str = "",
    headers: Mapping[str, str] | None = None,
    **event: Any,
) -> Reply:
    """Call a handler with a JSON body and a token; other arguments are those of v1_event."""
    named = {"Authorization": f"Bearer {token}"} if token else {}
    if json_body is not None:
        event["body"] = json.dumps(json_body, ensure_ascii=False).encode()
        named["Content-Type"] = "application/json"
    return call(handler, v1_event(method, path, headers={**named, **(headers or {})}, **event))
