"""The log of chat: its records, and data that never reaches it."""

import hashlib
import json
import re
import secrets
from typing import Any

import pytest

from tests.fakes.upstream import PIECES, THOUGHT
from tests.fakes.upstream_scenarios import encodings
from tests.functions.chat.chatting import PATH, ask, hear, post
from tests.functions.conftest import API_KEY, SignUp
from tests.patience import HANG_SECONDS
from tests.web import WebFunction, serving

CREDENTIALS = {
    "X-Fc-Access-Key-Id": "canary-access-key-id",
    "X-Fc-Access-Key-Secret": "canary-access-key-secret",
    "X-Fc-Security-Token": "canary-security-token",
}


def lines_about(web: WebFunction, request_id: str) -> list[str]:
    """Wait for the end of a request; return its log lines."""
    web.logged(f"FC Invoke End RequestId: {request_id}")
    return [line for line in web.log.splitlines() if request_id in line]


def record(web: WebFunction, request_id: str) -> dict[str, Any]:
    """The record between the two lines that mark an invocation."""
    start, line, end = lines_about(web, request_id)
    assert start == f"FC Invoke Start RequestId: {request_id}"
    assert end == f"FC Invoke End RequestId: {request_id}"
    read: dict[str, Any] = json.loads(line)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", read.pop("time"))
    assert 0 <= read.pop("latency_ms") < HANG_SECONDS * 1000
    return read


def request_id_of() -> str:
    return f"1-{secrets.token_hex(8)}"


@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_is_one_record(stream: bool, chat: WebFunction) -> None:
    request_id = request_id_of()
    ask(chat, headers={"X-Fc-Request-Id": request_id}, stream=stream)

    assert record(chat, request_id) == {
        "level": "info",
        "event": "request",
        "request_id": request_id,
        "method": "POST",
        "status": 200,
        "route": PATH,
    }


REFUSED = {"reason": "refused", "status": 500, "code": "code_500"}


@pytest.mark.parametrize(
    ("stream", "level", "status"), [(False, "error", 502), (True, "info", 200)]
)
def test_a_failure_of_the_model_is_one_record_that_says_why(
    stream: bool, level: str, status: int, chat: WebFunction
) -> None:
    request_id = request_id_of()
    ask(chat, "scenario: status-500", headers={"X-Fc-Request-Id": request_id}, stream=stream)

    assert record(chat, request_id) == {
        "level": level,
        "event": "request",
        "request_id": request_id,
        "method": "POST",
        "status": status,
        "route": PATH,
        "error": "upstream_error",
        "context": REFUSED,
    }


@pytest.mark.parametrize("stream", [False, True])
def test_the_record_of_an_answer_that_broke_off_says_why(stream: bool, chat: WebFunction) -> None:
    request_id = request_id_of()
    ask(chat, "scenario: error-later", headers={"X-Fc-Request-Id": request_id}, stream=stream)

    logged = record(chat, request_id)
    assert (logged["status"], logged["error"]) == (200, "upstream_error")
    assert logged["context"]["reason"]


@pytest.mark.parametrize("stream", [False, True])
def test_a_person_is_a_hash(stream: bool, stored: WebFunction, sign_up: SignUp) -> None:
    person, request_id = sign_up(), request_id_of()
    ask(stored, token=person.token, headers={"X-Fc-Request-Id": request_id}, stream=stream)

    logged = record(stored, request_id)
    assert logged["user"] == hashlib.sha256(person.id.encode()).hexdigest()[:12]
    assert person.id not in stored.log


@pytest.mark.parametrize("logs_text", ["false", "true"])
def test_nothing_that_was_said_and_no_credential_is_ever_written_or_echoed(
    logs_text: str, variables: dict[str, str], stored: WebFunction, sign_up: SignUp, guest_ip: str
) -> None:
    token = sign_up().token
    headers = {**CREDENTIALS, "Cookie": "canary-cookie", "X-Forwarded-For": guest_ip}
    told = b""
    with serving("chat", **stored.variables, LOG_UPSTREAM_TEXT=logs_text) as web:
        for name in (
            *("plain", "reasoning", "quoting", "quoting-encoded", "indiscreet", "error-later"),
            "truncated",
        ):
            said = f"canary-prompt 金丝雀的问题在此 scenario: {name}"
            for who in (token, ""):
                reply = ask(web, said, token=who, headers=headers)
                stream = hear(web, said, token=who, headers=headers)
                told += repr(reply).encode() + repr(stream).encode()
        for body in (
            {"message": {"canary-prompt": 1}},
            {"messages": "canary-prompt"},
            "canary-prompt",
        ):
            told += repr(post(web, body, headers=headers)).encode()
        told += repr(ask(web, token="canary-token", headers=headers)).encode()
        web.client.post(f"{PATH}?lang=canary-query", content=b"canary-prompt", headers=headers)
        log = web.log

    written = log + "".join(json.loads(f'"{text}"') for text in re.findall(r'"([^"\n]*)"', log))
    for secret in (
        *("canary", "金丝雀的问题", token, token.split(".")[2], API_KEY, variables["JWT_SECRET"]),
        *(*PIECES, THOUGHT, guest_ip, "sk-other-key"),
        *(*encodings("canary-prompt"), *encodings("金丝雀的问题"), *encodings(API_KEY)),
    ):
        assert secret not in written
    assert ("withheld" in log) == (logs_text == "true")
    for secret in ("canary-access", "canary-security", "canary-cookie", API_KEY, token):
        assert secret.encode() not in told
