"""Function Compute's events: v1 HTTP events in, four-key results out."""

import base64
import json
import re
import uuid
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from shared.credentials import of_context
from shared.errors import MalformedRequest
from shared.web.requests import Request, WireResponse

_LONGEST_TEXT = 1_000_000


def from_event(event: bytes | str, context: object = None) -> Request:
    """Read a v1 HTTP event (Function Compute 3.0, "HTTP trigger request format").

    Raises:
        MalformedRequest: it is no v1 event, or its body is not encoded as it declares.
    """
    try:
        data = json.loads(event)
        http = data["requestContext"]["http"]
        return Request(
            method=http["method"].upper(),
            url_path=_path(data.get("rawPath"), http),
            headers={name.lower(): str(value) for name, value in _map(data.get("headers"))},
            query=_query(data.get("queryParameters")),
            body=_body(data),
            source_ip=str(http.get("sourceIp") or ""),
            request_id=_request_id(data["requestContext"], context),
            credentials=of_context(context),
        )
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        raise MalformedRequest from None


def _path(encoded: str | None, http: Mapping[str, Any]) -> str:
    """`rawPath` is percent-encoded; `http.path` has been decoded already."""
    return unquote(encoded, errors="strict") if encoded else str(http["path"])


def _map(pairs: Mapping[str, object] | None) -> list[tuple[str, object]]:
    return list(pairs.items()) if pairs else []


def _query(parameters: Mapping[str, object] | None) -> dict[str, str]:
    """The local runner sends a literal `?null` where there is no query."""
    query = {name: str(value) for name, value in _map(parameters)}
    return {} if query == {"null": ""} else query


def _body(data: Mapping[str, Any]) -> bytes:
    """The body's bytes. Only `isBase64Encoded` says whether it is Base64, not the content type."""
    body: str = data.get("body") or ""
    if data.get("isBase64Encoded"):
        return base64.b64decode(body, validate=True)
    return body.encode()


def _request_id(request_context: Mapping[str, object], context: object) -> str:
    return usable_id(request_context.get("requestId") or getattr(context, "request_id", ""))


def usable_id(given: object) -> str:
    """The platform's request id, or a new one where it has none that a header can carry."""
    if isinstance(given, str) and re.fullmatch(r"[\w.-]{1,64}", given, re.ASCII):
        return given
    return uuid.uuid4().hex


def reply(response: WireResponse) -> dict[str, object]:
    """The result of a built-in function: the four keys that make the platform send our status."""
    text = _text(response.body)
    return {
        "statusCode": response.status,
        "headers": dict(response.headers),
        "isBase64Encoded": text is None,
        "body": base64.b64encode(response.body).decode() if text is None else text,
    }


def _text(body: bytes) -> str | None:
    """The body as text; None for binary data and for long text, which JSON may double in size."""
    if len(body) > _LONGEST_TEXT:
        return None
    try:
        return body.decode()
    except UnicodeDecodeError:
        return None
