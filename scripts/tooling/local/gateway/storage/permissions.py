"""Checks of signed URLs and of signed form policies. Does no I/O with objects."""

import base64
import hmac
import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from scripts.tooling.local.gateway.storage.errors import AccessDenied, SignatureDoesNotMatch
from shared.credentials import Credentials
from shared.storage.folder_bucket import FOLDER_BUCKET, FOLDER_REGION
from shared.storage.oss_signature import ALGORITHM, Signer

_SKEW_SECONDS = 900


@dataclass(frozen=True)
class Sizes:
    """The smallest and the largest size of a file that a policy allows."""

    least: int
    most: int


def check_url(
    keys: Credentials,
    method: str,
    key: str,
    query: Mapping[str, str],
    headers: Mapping[str, str],
) -> None:
    """Raises: AccessDenied, SignatureDoesNotMatch."""
    signer = _signer(keys, query)
    seconds = query.get("x-oss-expires", "")
    if not re.fullmatch("[0-9]{1,7}", seconds):
        raise AccessDenied("x-oss-expires is not a number of seconds")
    if _seconds(signer.at) + int(seconds) < time.time():
        raise AccessDenied("the signed URL has expired")
    signed = {name: value for name, value in query.items() if name != "x-oss-signature"}
    resource = f"/{FOLDER_BUCKET}/{key}"
    _compare(signer.signature(method, resource, signed, headers), query)


def check_policy(keys: Credentials, fields: Mapping[str, str]) -> Sizes:
    """Check the fields of a form; return the sizes that its file may have.

    Raises: AccessDenied, SignatureDoesNotMatch.
    """
    signer, policy = _signer(keys, fields), fields.get("policy", "")
    _compare(signer.sign_policy(policy), fields)
    document = json.loads(base64.b64decode(policy))  # it is ours, because its signature is
    if _expiration(document["expiration"]) < time.time():
        raise AccessDenied("invalid according to policy: policy expired")
    sizes = None
    for condition in document["conditions"]:
        if isinstance(condition, list) and condition[0] == "content-length-range":
            sizes = Sizes(condition[1], condition[2])
        elif not _is_met(condition, {**fields, "bucket": FOLDER_BUCKET}):
            raise AccessDenied(f"invalid according to policy: {json.dumps(condition)}")
    if sizes is None:
        raise AccessDenied("invalid according to policy: no content-length-range")
    return sizes


def _signer(keys: Credentials, given: Mapping[str, str]) -> Signer:
    """The signer that the parameters name. Raises: AccessDenied: they do not name ours."""
    if given.get("x-oss-signature-version") != ALGORITHM:
        raise AccessDenied("this request has no signature of version 4")
    signer = Signer(keys, FOLDER_REGION, given.get("x-oss-date", ""))
    if not _seconds(signer.at) or _seconds(signer.at) > time.time() + _SKEW_SECONDS:
        raise AccessDenied("x-oss-date is not a moment of the past")
    if given.get("x-oss-credential") != signer.credential:
        raise AccessDenied("x-oss-credential is not the one of this folder")
    return signer


def _compare(expected: str, given: Mapping[str, str]) -> None:
    if not hmac.compare_digest(expected.encode(), given.get("x-oss-signature", "").encode()):
        raise SignatureDoesNotMatch("the signature was made elsewhere, or something was changed")


def _is_met(condition: Any, fields: Mapping[str, str]) -> bool:
    if isinstance(condition, dict):
        return all(fields.get(name) == value for name, value in condition.items())
    operator, name, value = condition
    return bool(operator == "eq" and fields.get(name.removeprefix("$")) == value)


def _seconds(at: str) -> float:
    try:
        return datetime.strptime(at, "%Y%m%dT%H%M%S%z").timestamp()
    except ValueError:
        return 0.0


def _expiration(text: str) -> float:
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.000%z").timestamp()
