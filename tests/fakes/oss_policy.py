"""Verification of a form's policy and its signature ("POST V4 signature", OSS documentation)."""

import base64
import hashlib
import hmac
import json
import time
from calendar import timegm
from collections.abc import Mapping
from typing import Any

from tests.fakes import oss_signature
from tests.fakes.oss_bucket import Refused
from tests.fakes.oss_signature import Key

_SIGNED = ("x-oss-signature-version", "x-oss-credential", "x-oss-date")


def check_policy(fields: Mapping[str, str], size: int, bucket: str, region: str, key: Key) -> None:
    """Raises: Refused, as OSS would."""
    if not fields.get("policy") or not fields.get("key"):
        raise Refused(403, "AccessDenied")
    _check_signature(fields, region, key)
    policy = _decoded(fields["policy"])
    if _ends(policy["expiration"]) < oss_signature.now():
        raise Refused(403, "AccessDenied")  # "Policy expired."
    named = {_name_of(condition) for condition in policy["conditions"]}
    needed = {*_SIGNED, *(["x-oss-security-token"] if key.token else [])}
    if not needed <= named:
        raise Refused(403, "AccessDenied")
    for condition in policy["conditions"]:
        _check(condition, {**fields, "bucket": bucket}, size)


def _check_signature(fields: Mapping[str, str], region: str, key: Key) -> None:
    at = fields.get("x-oss-date", "")
    if fields.get("x-oss-signature-version") != "OSS4-HMAC-SHA256":
        raise Refused(403, "AccessDenied")
    if fields.get("x-oss-security-token", "") != key.token:
        raise Refused(403, "SecurityTokenNotSupported")
    if fields.get("x-oss-credential") != f"{key.id}/{oss_signature.scope(at, region)}":
        raise Refused(403, "InvalidAccessKeyId")
    secret = oss_signature.signing_key(key, at, region)
    wanted = hmac.new(secret, fields["policy"].encode(), hashlib.sha256).hexdigest()
    if not hmac.compare_digest(wanted.encode(), fields.get("x-oss-signature", "").encode()):
        raise Refused(403, "SignatureDoesNotMatch")


def _check(condition: Any, fields: Mapping[str, str], size: int) -> None:
    if isinstance(condition, dict):
        met = all(fields.get(name.lower()) == value for name, value in condition.items())
    elif condition[0] == "content-length-range":
        if size < condition[1]:
            raise Refused(400, "EntityTooSmall")
        if size > condition[2]:
            raise Refused(400, "EntityTooLarge")
        return
    else:
        met = _is_met(condition[0], fields.get(_name_of(condition), ""), condition[2])
    if not met:
        raise Refused(403, "AccessDenied")  # "Invalid according to Policy."


def _is_met(operator: str, given: str, wanted: Any) -> bool:
    if operator == "eq":
        return bool(given == wanted)
    if operator == "starts-with":
        return given.startswith(wanted)
    return operator == "in" and given in wanted


def _name_of(condition: Any) -> str:
    name = next(iter(condition)) if isinstance(condition, dict) else str(condition[1])
    return name.removeprefix("$").lower()


def _decoded(policy: str) -> Any:
    try:
        return json.loads(base64.b64decode(policy, validate=True))
    except ValueError:
        raise Refused(400, "InvalidPolicyDocument") from None


def _ends(text: str) -> float:
    return timegm(time.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ"))
