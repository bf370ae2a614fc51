"""Verification of signatures of version 4 (OSS documentation, "V4 signature")."""

import calendar
import hashlib
import hmac
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

_MOST_SKEW_SECONDS = 900
_LONGEST_LINK_SECONDS = 7 * 86400


def now() -> float:
    """The clock of the service, which a test may set."""
    return time.time()


@dataclass(frozen=True)
class Signed:
    """A request, its header names in lower case and its path and query decoded."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]


@dataclass(frozen=True)
class Key:
    id: str
    secret: str
    token: str = ""


def refusal(request: Signed, key: Key, region: str) -> str:
    """The error code of OSS for a request; empty if the signature is valid."""
    if "x-oss-signature" in request.query:
        return _of_link(request, key, region)
    return _of_header(request, key, region)


def _of_header(request: Signed, key: Key, region: str) -> str:
    found = re.fullmatch(
        r"OSS4-HMAC-SHA256 Credential=(\S+), ?(?:AdditionalHeaders=(\S+), ?)?Signature=(\w+)",
        request.headers.get("authorization", ""),
    )
    if found is None:
        return "AccessDenied"
    at = request.headers.get("x-oss-date", "")
    if abs(now() - _seconds(at)) > _MOST_SKEW_SECONDS:
        return "RequestTimeTooSkewed"
    if request.headers.get("x-oss-security-token", "") != key.token:
        return "SecurityTokenNotSupported"
    if found[1] != f"{key.id}/{scope(at, region)}":
        return "InvalidAccessKeyId"
    wanted = _signature(request, key, region, at, found[2] or "")
    return (
        "" if hmac.compare_digest(wanted.encode(), found[3].encode()) else "SignatureDoesNotMatch"
    )


def _of_link(request: Signed, key: Key, region: str) -> str:
    query = request.query
    at, given_seconds = query.get("x-oss-date", ""), query.get("x-oss-expires", "")
    if not re.fullmatch("[0-9]{1,9}", given_seconds):
        return "AccessDenied"
    lasts = int(given_seconds)
    if not 0 < lasts <= _LONGEST_LINK_SECONDS or _seconds(at) + lasts < now():
        return "AccessDenied"  # "Request has expired."
    if query.get("x-oss-security-token", "") != key.token:
        return "SecurityTokenNotSupported"
    if query.get("x-oss-credential") != f"{key.id}/{scope(at, region)}":
        return "InvalidAccessKeyId"
    wanted = _signature(request, key, region, at, query.get("x-oss-additional-headers", ""))
    given = query["x-oss-signature"]
    return "" if hmac.compare_digest(wanted.encode(), given.encode()) else "SignatureDoesNotMatch"


def _signature(request: Signed, key: Key, region: str, at: str, additional: str) -> str:
    canonical = "\n".join(
        [
            request.method,
            quote(request.path, safe="/~"),
            _canonical_query(request.query),
            _canonical_headers(request.headers, additional),
            additional,
            request.headers.get("x-oss-content-sha256", "UNSIGNED-PAYLOAD"),
        ]
    )
    hashed = hashlib.sha256(canonical.encode()).hexdigest()
    to_sign = "\n".join(["OSS4-HMAC-SHA256", at, scope(at, region), hashed])
    secret = signing_key(key, at, region)
    return hmac.new(secret, to_sign.encode(), hashlib.sha256).hexdigest()


def signing_key(key: Key, at: str, region: str) -> bytes:
    secret = f"aliyun_v4{key.secret}".encode()
    for part in (at[:8], region, "oss", "aliyun_v4_request"):
        secret = hmac.new(secret, part.encode(), hashlib.sha256).digest()
    return secret


def _canonical_query(query: Mapping[str, str]) -> str:
    pairs = {quote(k, safe="~"): quote(v, safe="~") for k, v in query.items()}
    pairs.pop("x-oss-signature", None)
    return "&".join(f"{k}={v}" if v else k for k, v in sorted(pairs.items()))


def _canonical_headers(headers: Mapping[str, str], additional: str) -> str:
    named = {"content-type", "content-md5", *filter(None, additional.split(";"))}
    signed = {k: v.strip() for k, v in headers.items() if k in named or k.startswith("x-oss-")}
    return "".join(f"{name}:{signed[name]}\n" for name in sorted(signed))


def scope(at: str, region: str) -> str:
    return f"{at[:8]}/{region}/oss/aliyun_v4_request"


def _seconds(at: str) -> float:
    try:
        return calendar.timegm(time.strptime(at, "%Y%m%dT%H%M%SZ"))
    except ValueError:
        return 0.0
