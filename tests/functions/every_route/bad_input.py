"""Requests to every function, and checks of their answers."""

import asyncio
import base64
import contextlib
import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from functions.account.index import handler as account
from functions.admin.index import handler as admin
from functions.chat.index import handler as chat
from functions.drugs.index import handler as drugs
from functions.export.index import handler as export
from functions.export_worker.index import handler as export_worker
from functions.exports.index import handler as exports
from functions.health.index import handler as health
from functions.location.index import handler as location
from functions.login.index import handler as login
from functions.models.index import handler as models
from functions.register.index import handler as register
from functions.session.index import handler as session
from functions.upload.index import handler as upload
from scripts.tooling.database import migrations
from tests.conftest import Configure
from tests.events import Reply, call

Sent = list[dict[str, Any]]


def out_of_reach(configure: Configure, file: Path) -> None:
    """One database for all functions, and a chat whose model is unreachable."""
    is_new = not file.exists()
    configure(
        DATABASE_URL=f"sqlite:///{file}",
        GUEST_DAILY_MESSAGES="0",
        OPENAI_API_KEY="never-used",
        OPENAI_API_URL="http://127.0.0.1:1",
    )
    if is_new:
        migrations.up()


async def _served(scope: dict[str, Any], body: bytes) -> Sent:
    """Call an ASGI application and return its complete answer."""
    sent: Sent = []
    incoming = [{"type": "http.request", "body": body}]

    async def receive() -> dict[str, Any]:
        if not incoming:
            await asyncio.Event().wait()
        return incoming.pop()

    async def send(message: Any) -> None:
        sent.append(message)

    await chat(scope, receive, send)
    return sent


def web(
    method: str,
    path: str,
    *,
    body: bytes = b"",
    query: bytes = b"",
    headers: list[tuple[bytes, bytes]] | None = None,
) -> Reply:
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": query,
        "headers": headers or [],
        "client": ("203.0.113.7", 50000),
    }
    head, *rest = asyncio.run(_served(scope, body))
    named = {name.decode().title(): text.decode() for name, text in head["headers"]}
    return Reply(head["status"], named, b"".join(message.get("body", b"") for message in rest))


def chat_by_event(event: bytes, context: object) -> dict[str, Any]:
    """Call chat like `s local invoke`: with the event as the body of a request to /invoke."""
    headers = [(b"x-fc-control-path", b"/invoke"), (b"x-fc-request-id", b"1-event")]
    return dict(web("POST", "/invoke", body=event, headers=headers).json)


def chat_by_http(event: bytes, context: object) -> dict[str, Any]:
    """Call chat with the HTTP request of an event."""
    sent = json.loads(event)
    http, raw = sent["requestContext"]["http"], sent["body"].encode()
    headers = [
        (name.encode("latin-1"), text.encode("utf-8", "replace"))
        for name, text in sent["headers"].items()
    ]
    reply = web(
        http["method"],
        http["path"],
        body=base64.b64decode(raw) if sent["isBase64Encoded"] else raw,
        headers=headers,
    )
    return {
        "statusCode": reply.status,
        "headers": dict(reply.headers),
        "isBase64Encoded": False,
        "body": reply.body.decode(),
    }


@dataclass(frozen=True)
class Target:
    name: str
    handler: Callable[[bytes, object], dict[str, Any]]
    method: str
    path: str
    fields: tuple[str, ...] = ()


QUESTION = (
    "type",
    "locale",
    "messages",
    "message",
    "conversation_id",
    "model",
    "stream",
    "media_ids",
)
FILE = ("filename", "content_type", "size", "method", "purpose")
PLACE = ("latitude", "longitude", "accuracy_m", "recorded_at", "coordinate_system", "consent")

TARGETS = [
    Target("register", register, "POST", "/api/auth/register", ("email", "password", "username")),
    Target("login", login, "POST", "/api/auth/login", ("email", "password", "username")),
    Target("refresh", session, "POST", "/api/auth/refresh", ("refresh_token",)),
    Target("logout", session, "POST", "/api/auth/logout", ("refresh_token", "everywhere")),
    Target("password", account, "PUT", "/api/auth/password", ("current_password", "new_password")),
    Target("me", account, "PATCH", "/api/auth/me", ("username", "email", "current_password")),
    Target("copy", account, "GET", "/api/account/export"),
    Target("health", health, "GET", "/api/health"),
    Target("info", health, "GET", "/api/info"),
    Target("export", export, "GET", "/api/admin/export"),
    Target("exports", exports, "DELETE", "/api/admin/exports/01ABC"),
    Target("export worker", export_worker, "POST", "/api/internal/exports"),
    Target("admin", admin, "GET", "/api/admin/users"),
    Target("location", location, "POST", "/api/location/report", PLACE),
    Target("medicines", drugs, "GET", "/api/drugs"),
    Target("medicine", drugs, "POST", "/api/drugs", ("name", "expires_on", "media_ids")),
    Target("recognition", drugs, "POST", "/api/drugs/recognize", ("media_ids", "model")),
    Target("uploads", upload, "POST", "/api/upload/presign", FILE),
    Target("commit", upload, "POST", "/api/upload/commit", ("upload_id",)),
    Target("files", upload, "GET", "/api/media"),
    Target("models", models, "GET", "/api/models"),
    Target("chat by event", chat_by_event, "POST", "/api/chat", QUESTION),
    Target("chat by http", chat_by_http, "POST", "/api/chat", QUESTION),
]
WITH_A_BODY = [target for target in TARGETS if target.method == "POST"]
BY_EVENT = [target for target in TARGETS if target.name != "chat by http"]

each_target = pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
each_target_by_event = pytest.mark.parametrize("target", BY_EVENT, ids=lambda target: target.name)
each_target_with_a_body = pytest.mark.parametrize(
    "target", WITH_A_BODY, ids=lambda target: target.name
)


def survives(target: Target, event: bytes) -> Reply:
    """Call a function, check its answer, and return it."""
    with contextlib.redirect_stdout(io.StringIO()):
        reply = call(target.handler, event)
    assert 200 <= reply.status < 500, reply.body
    request_id = reply.headers["X-Request-Id"]
    if reply.body:
        envelope = reply.json
        assert envelope["code"] == (reply.status if reply.status >= 400 else 0)
        assert envelope["request_id"] == request_id
        assert isinstance(envelope["message"], str)
        assert ("error" in envelope) == (reply.status >= 400)
    assert reply.headers["X-Content-Type-Options"] == "nosniff"
    return reply


def event_of(
    target: Target,
    *,
    body: bytes = b"",
    headers: dict[str, str] | None = None,
    query: object = None,
    **http: object,
) -> bytes:
    return json.dumps(
        {
            "version": "v1",
            "rawPath": http.get("path", target.path),
            "body": base64.b64encode(body).decode(),
            "isBase64Encoded": True,
            "headers": headers or {},
            "queryParameters": query or {},
            "requestContext": {
                "requestId": "1-event",
                "http": {
                    "method": target.method,
                    "path": target.path,
                    "sourceIp": "203.0.113.7",
                    **http,
                },
            },
        }
    ).encode()
