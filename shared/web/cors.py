"""CORS headers: the origins that browsers may call us from (Fetch standard). Does no I/O."""

import re
from collections.abc import Sequence
from urllib.parse import urlsplit

from shared import settings
from shared.config import is_production

_LOCAL_ORIGIN = re.compile(r"https?://(localhost|127\.0\.0\.1|\[::1\])(:\d{1,5})?")

_ALLOWED_HEADERS = (
    "Authorization, Content-Type, Accept, Accept-Language, Idempotency-Key, If-Match, Last-Event-ID"
    # Headers of OpenAI's SDK.
    ", User-Agent, OpenAI-Organization, OpenAI-Project, OpenAI-Beta, X-Client-Request-Id"
)
# Its other headers, of which each version has more; a browser's preflight lists each of them.
_SDK_HEADER = re.compile(r"(?:^|(?<=,))x-stainless-[a-z-]{1,40}(?=,|$)")
_MOST_SDK_HEADERS = 30
_EXPOSED_HEADERS = "X-Request-Id, Retry-After, X-Should-Retry, Content-Disposition, X-Aigc, ETag"
_PREFLIGHT_SECONDS = "7200"  # the maximum of Chromium


def cors_headers(origin: str, http: settings.Http) -> dict[str, str]:
    if not origin or not _is_allowed(origin, http):
        return {"Vary": "Origin"}
    return {
        "Vary": "Origin",
        "Access-Control-Allow-Origin": origin,
        "Access-Control-Expose-Headers": _EXPOSED_HEADERS,
    }


def preflight_headers(
    origin: str, http: settings.Http, methods: Sequence[str], asked_headers: str = ""
) -> dict[str, str]:
    """`asked_headers` is Access-Control-Request-Headers: the names that the page would send."""
    headers = cors_headers(origin, http)
    if methods:
        headers["Allow"] = ", ".join(methods)
    if "Access-Control-Allow-Origin" in headers:
        headers["Access-Control-Allow-Methods"] = ", ".join(methods)
        of_sdk = _SDK_HEADER.findall(asked_headers.lower().replace(" ", ""))[:_MOST_SDK_HEADERS]
        headers["Access-Control-Allow-Headers"] = ", ".join([_ALLOWED_HEADERS, *of_sdk])
        headers["Access-Control-Max-Age"] = _PREFLIGHT_SECONDS
    return headers


def _is_allowed(origin: str, http: settings.Http) -> bool:
    """Outside production, any port of this machine is allowed too, for pages in development."""
    if origin in http.allowed_origins or origin == _origin_of(http.frontend_base_url):
        return True
    if is_production():
        return False
    return "*" in http.allowed_origins or bool(_LOCAL_ORIGIN.fullmatch(origin))


def _origin_of(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}" if url else ""
