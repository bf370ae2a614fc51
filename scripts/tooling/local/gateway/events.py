"""Requests to the gateway, and the v1 events that Function Compute makes of them."""

import base64
import json
import secrets
import time
from collections.abc import MutableMapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any
from urllib.parse import parse_qsl

from scripts.tooling.manifest.s_yaml import Function

ACCOUNT_ID = "1000000000000000"
REGION = "cn-hangzhou"

_NOT_PASSED = frozenset({"connection", "host", "keep-alive", "transfer-encoding"})


def new_request_id() -> str:
    return f"1-{int(time.time()):08x}-{secrets.token_hex(12)}"


@dataclass(frozen=True)
class Call:
    """One request. `headers` are as sent, without `x-fc-` headers, which only the platform sets."""

    method: str
    raw_path: str
    path: str
    query: str
    protocol: str
    headers: tuple[tuple[bytes, bytes], ...]
    peer: str
    is_async: bool = False
    request_id: str = field(default_factory=new_request_id)
    time_ms: int = field(default_factory=lambda: time.time_ns() // 1_000_000)

    @classmethod
    def of(cls, scope: MutableMapping[str, Any]) -> "Call":
        sent = [(name.lower(), value) for name, value in scope["headers"]]
        invocation_type = dict(sent).get(b"x-fc-invocation-type", b"")
        return cls(
            method=scope["method"],
            raw_path=scope["raw_path"].decode("ascii", "replace"),
            path=scope["path"],
            query=scope["query_string"].decode("utf-8", "replace"),
            protocol=f"HTTP/{scope['http_version']}",
            headers=tuple(pair for pair in sent if not pair[0].startswith(b"x-fc-")),
            peer=(scope.get("client") or ("127.0.0.1",))[0],
            is_async=invocation_type.lower() == b"async",
        )

    def header(self, name: str) -> str:
        """The value of a header; repeated ones are joined by commas."""
        lower_name = name.lower().encode()
        return _text(b",".join(value for key, value in self.headers if key == lower_name))


def to_event(call: Call, body: bytes) -> bytes:
    """The event of a built-in handler ("HTTP trigger request format", Function Compute 3.0)."""
    host = call.header("host").rpartition(":")[0] or call.header("host")
    moment = datetime.fromtimestamp(call.time_ms // 1000, timezone.utc)
    text, encoded = _body(body)
    event = {
        "version": "v1",
        "rawPath": call.raw_path,
        "body": text,
        "isBase64Encoded": encoded,
        "headers": _headers(call),
        "queryParameters": _joined(parse_qsl(call.query, keep_blank_values=True)),
        "requestContext": {
            "accountId": ACCOUNT_ID,
            "domainName": host,
            "domainPrefix": host.partition(".")[0],
            "requestId": call.request_id,
            "time": moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "timeEpoch": str(call.time_ms),
            "http": {
                "method": call.method,
                "path": call.path,
                "protocol": call.protocol,
                "sourceIp": call.peer,
                "userAgent": call.header("user-agent"),
            },
        },
    }
    return json.dumps(event).encode()


def _body(body: bytes) -> tuple[str, bool]:
    """The body and isBase64Encoded, which is true for an empty body, as Function Compute has it."""
    try:
        return body.decode("utf-8"), not body
    except UnicodeDecodeError:
        return base64.b64encode(body).decode("ascii"), True


def _headers(call: Call) -> dict[str, str]:
    """The headers with names in Go's spelling: `content-type` becomes `Content-Type`."""
    pairs = [(_text(name), _text(value)) for name, value in call.headers]
    return _joined([(name.title(), value) for name, value in pairs if name not in _NOT_PASSED])


def _joined(pairs: list[tuple[str, str]]) -> dict[str, str]:
    joined: dict[str, str] = {}
    for name, value in pairs:
        joined[name] = f"{joined[name]},{value}" if name in joined else value
    return joined


def _text(value: bytes) -> str:
    return value.decode("utf-8", "replace")


def context_of(function: Function, request_id: str) -> dict[str, Any]:
    """The fields of the handler's second argument. On python3.12 it has no credentials."""
    return {
        "request_id": request_id,
        "function": {
            "name": function.function_name,
            "handler": function.handler,
            "memory": function.memory_mb,
            "timeout": function.timeout_seconds,
            "version_id": "",
            "qualifier": "LATEST",
        },
        "region": REGION,
        "account_id": ACCOUNT_ID,
    }
