"""Function Compute's rules for answers; a broken rule is reported as a Violation."""

import base64
import binascii
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from scripts.tooling.local.gateway.refusals import Violation

MAX_HEADER_BYTES = 8 * 1024
MAX_TARGET_BYTES = 4 * 1024
MAX_BODY_BYTES = 32 * 1024 * 1024
MAX_ASYNC_BODY_BYTES = 128 * 1024

_FOUR_KEYS = {"statusCode": int, "headers": dict, "isBase64Encoded": bool, "body": str}
_FORBIDDEN = frozenset(
    {
        "connection",
        "content-length",
        "date",
        "keep-alive",
        "server",
        "transfer-encoding",
        "upgrade",
    }
)
_STACK_TRACE = re.compile(rb'Traceback \(most recent call last\)|File \\?"[^"]+", line \d+, in ')

Headers = list[tuple[str, str]]


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Headers
    body: bytes


def read_answer(function: str, output: bytes) -> Answer:
    """Read the answer of a built-in function from its four keys.

    Raises:
        Violation: with the name of the broken rule.
    """
    data = _four_keys(function, output)
    headers = _text_headers(function, data["headers"])
    check_headers(function, headers)
    answer = Answer(data["statusCode"], headers, _body(function, data))
    _check_status_and_body(function, answer)
    return answer


def _four_keys(function: str, output: bytes) -> dict[str, Any]:
    try:
        data = json.loads(output)
    except ValueError:
        data = None
    if not isinstance(data, dict):
        raise Violation("four_keys", "the answer is not a JSON object", function=function)
    for key, kind in _FOUR_KEYS.items():
        if key not in data:
            raise Violation("four_keys", f"{key} is missing", function=function)
        if type(data[key]) is not kind:
            problem = f"{key} is {type(data[key]).__name__}, not {kind.__name__}"
            raise Violation("four_keys", problem, function=function)
    return data


def _text_headers(function: str, given: dict[str, Any]) -> Headers:
    for name, value in given.items():
        if not isinstance(value, str):
            problem = f"the value of {name} is {type(value).__name__}"
            raise Violation("header_strings", problem, function=function)
    if len({name.lower() for name in given}) < len(given):
        problem = "one header stands twice in different case"
        raise Violation("header_once", problem, function=function)
    return list(given.items())


def check_headers(function: str, headers: Headers, *, passed: Iterable[str] = ()) -> None:
    """Check the headers of an answer, except those in `passed`, which the transport sets.

    Raises: Violation.
    """
    for name, value in headers:
        key = name.lower()
        if not re.fullmatch(r"[!#$%&'*+.^_`|~\w-]+", name, re.ASCII) or not _is_sendable(value):
            raise Violation("header_text", f"{name!r} cannot be sent", function=function)
        if key not in passed and (key in _FORBIDDEN or key.startswith("x-fc-")):
            raise Violation("forbidden_header", f"it sets {name}", function=function)
        if key == "content-disposition" and value.strip().lower().startswith("attachment"):
            raise Violation("forbidden_header", f"it sets {name}: attachment", function=function)
    size = header_bytes(headers)
    if size > MAX_HEADER_BYTES:
        problem = f"{size} bytes of headers are over 8 KB"
        raise Violation("header_size", problem, function=function)


def _is_sendable(value: str) -> bool:
    return re.fullmatch(r"[\t\x20-\x7e\x80-\xff]*", value) is not None


def header_bytes(headers: Iterable[tuple[str | bytes, str | bytes]]) -> int:
    return sum(len(name) + len(value) for name, value in headers)


def _body(function: str, data: dict[str, Any]) -> bytes:
    text: str = data["body"]
    try:
        if data["isBase64Encoded"]:
            return base64.b64decode(text, validate=True)
        return text.encode()
    except (binascii.Error, ValueError) as problem:
        raise Violation("body_encoding", str(problem), function=function) from None


def _check_status_and_body(function: str, answer: Answer) -> None:
    if not 200 <= answer.status <= 599:
        raise Violation("status", f"{answer.status} is no final status", function=function)
    if len(answer.body) > MAX_BODY_BYTES:
        raise Violation("body_size", "the body is over 32 MB", function=function)
    if answer.status >= 500 and _STACK_TRACE.search(answer.body):
        raise Violation("stack_trace", "the body shows a stack trace", function=function)
