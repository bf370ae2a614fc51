"""Refusals of upstreams, in every vendor's format, as our error classes. Does no I/O."""

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from math import ceil
from types import MappingProxyType
from typing import Any

from shared.errors import UpstreamFailed
from shared.llm import chunks
from shared.llm.redaction import Redaction
from shared.llm.refusal_kinds import kind_of
from shared.times import now_ms

_REQUEST_IDS = ("x-request-id", "request-id", "x-ms-request-id")
_DATES = ("%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %d %H:%M:%S %Y")
_LONGEST_RETRY_SECONDS = 99_999
_HEAD_CHARACTERS = 4096
_READ_CHARACTERS = 2_000
_TITLE = re.compile(r"<title[^>]*>([^<]*)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Complaint:
    """A vendor's error code, text and request id; only `refusal` makes them fit for the log.

    `kinds` are the other names that the vendor gives the error, beside the code.
    """

    code: str = ""
    message: str = ""
    request_id: str = ""
    kinds: str = ""


def complaint_in(document: Mapping[str, Any]) -> Complaint | None:
    """Find the complaint in a JSON document that should have been an answer.

    OpenAI and most others: `{"error": {"code", "type", "message"}}` or
    `{"error": "..."}`. iFlow: `{"status": "435", "msg": "...", "body": null}`.
    DashScope's own API and vLLM: `{"code", "message"}`. FastAPI: `{"detail"}`. MiniMax:
    `{"base_resp": {"status_code", "status_msg"}}`.
    """
    error, request_id = document.get("error"), _plain(document.get("request_id"))
    if isinstance(error, dict):
        code = error.get("code") or error.get("type")
        request_id = request_id or _plain(error.get("request_id"))
        return Complaint(
            _plain(code), _plain(error.get("message")), request_id, _other_names(error)
        )
    if error:
        return Complaint(message=_plain(error), request_id=request_id)
    message = document.get("msg") or document.get("message") or document.get("detail")
    if message and not document.get("choices"):
        code = _plain(document.get("status") or document.get("code"))
        return Complaint(code, _plain(message), request_id, _other_names(document))
    return _complaint_of_minimax(document)


def _complaint_of_minimax(document: Mapping[str, Any]) -> Complaint | None:
    """Its codes are other vendors' too, with other meanings, so the kind has a name of its own."""
    base = document.get("base_resp")
    if document.get("choices") or not isinstance(base, dict) or not base.get("status_code"):
        return None
    code = _plain(base["status_code"])
    return Complaint(code, _plain(base.get("status_msg")), kinds=f"base_resp_{code}")


def _other_names(error: Mapping[str, Any]) -> str:
    """The type of the error, and Azure's inner code."""
    inner = error.get("innererror")
    names = [error.get("type"), inner.get("code") if isinstance(inner, dict) else None]
    return " ".join(_plain(name) for name in names)


def complaint_of_body(body: str) -> Complaint:
    """Read the body of an HTTP error: JSON, the title of an HTML page, or plain text."""
    document = chunks.parse(body)
    if document is not None:
        return complaint_in(document) or Complaint()
    if "<" not in body[:100]:
        return Complaint(message=body)
    title = _TITLE.search(body[:_HEAD_CHARACTERS])
    return Complaint(message=title[1] if title else "an HTML page")


def refusal(
    complaint: Complaint,
    redaction: Redaction,
    *,
    status: int = 200,
    headers: Mapping[str, str] = MappingProxyType({}),
) -> UpstreamFailed:
    """Choose the error by the vendor's code, the HTTP status and the text."""
    text = complaint.message[:_READ_CHARACTERS]
    codes = f"{complaint.code} {complaint.kinds}"[:_READ_CHARACTERS]
    quotes = redaction.quotes_conversation(text)
    kind = kind_of(status, codes, text, quotes_conversation=quotes)
    context: dict[str, Any] = {"code": redaction.name(complaint.code)}
    if kind.trouble:
        context["trouble"] = kind.trouble
    request_id = redaction.name(complaint.request_id or _request_id(headers))
    if request_id:
        context["request_id"] = request_id
    if redaction.logs_text:
        context["detail"] = redaction.prose(complaint.message)
    seconds = _seconds(headers.get("retry-after", "")) if kind.error.retryable else None
    return kind.error(retry_after_seconds=seconds, reason="refused", status=status, **context)


def _request_id(headers: Mapping[str, str]) -> str:
    """The vendor's own id, with which its support finds the request."""
    return next((headers[name] for name in _REQUEST_IDS if headers.get(name)), "")


def _seconds(retry_after: str) -> int | None:
    """The seconds of a Retry-After header; None where it is absent or not understood.

    It is a number or a date in one of three formats (RFC 9110, 10.2.3 and 5.6.7). Some
    upstreams send fractions, which are rounded up, because earlier is too early.
    """
    if re.fullmatch(r"[0-9]{1,5}(\.[0-9]{1,20})?", retry_after, re.ASCII):
        return ceil(float(retry_after))
    for form in _DATES:
        with suppress(ValueError):
            at = datetime.strptime(retry_after, form).replace(tzinfo=timezone.utc)
            seconds = ceil(at.timestamp() - now_ms() / 1000)
            return max(seconds, 0) if seconds <= _LONGEST_RETRY_SECONDS else None
    return None


def _plain(value: object) -> str:
    return str(value) if isinstance(value, (str, int, float, bool)) else ""
