"""Bodies that are known to break services: refused below 500, in the envelope."""

import json

import pytest

from functions.export.index import handler as export
from shared.accounts.tokens import Claims, issue_access
from tests.conftest import Configure
from tests.events import invoke
from tests.functions.every_route.bad_input import (
    Target,
    each_target,
    each_target_with_a_body,
    event_of,
    out_of_reach,
    survives,
    web,
)
from tests.people import log_in, register


@pytest.fixture(autouse=True)
def _world(configure: Configure, tmp_path_factory: pytest.TempPathFactory) -> None:
    out_of_reach(configure, tmp_path_factory.getbasetemp() / "bad-input.db")


LARGE = "x" * 2**20

BODIES = {
    "empty": b"",
    "broken": b'{"email": "a@example.com", ',
    "nested lists": b"[" * 100_000,
    "nested and closed": b"[" * 100_000 + b"]" * 100_000,
    "nested objects": b'{"a":' * 100_000,
    "nested in a field": b'{"messages":' + b"[" * 900 + b"]" * 900 + b"}",
    "nested strings": b'{"email": "' + b"[" * 100_000 + b'"}',
    "not a number": b'{"email": NaN, "message": NaN}',
    "infinity": b'{"password": Infinity, "message": -Infinity}',
    "too large a float": b'{"email": 1e999, "message": 1e999, "stream": 1e999}',
    "2^63": b'{"email": 9223372036854775808, "message": 9223372036854775808}',
    "ten thousand digits": b'{"email": ' + b"9" * 10_000 + b"}",
    "four thousand digits": b'{"email": ' + b"9" * 4_000 + b', "stream": ' + b"9" * 4_000 + b"}",
    "surrogate value": b'{"email": "\\ud800", "message": "\\ud800"}',
    "surrogate key": b'{"\\udfff": 1}',
    "surrogate in nested key": b'{"messages": [{"\\uDFFF": 1}]}',
    "encoded surrogate": b'{"email": "\xed\xa0\x80"}',
    "nul": json.dumps(
        dict.fromkeys(("email", "username", "password", "message"), "\0" * 9)
    ).encode(),
    "raw nul": b'{"email": "\x00"}',
    "bad utf-8": b'{"email": "\xff\xfe"}',
    "utf-16": '{"message": "hi"}'.encode("utf-16"),
    "large field": json.dumps({"email": LARGE, "password": LARGE, "message": LARGE}).encode(),
    "large unknown field": json.dumps({"unknown": LARGE[:-100], "message": "hi"}).encode(),
    "large and just small enough": json.dumps({"email": LARGE[:-100], "message": 1}).encode(),
    "large key": json.dumps({LARGE[:-100]: 1}).encode(),
    "many fields": json.dumps({str(number): number for number in range(50_000)}).encode(),
    "many messages": json.dumps({"messages": [{"role": "user", "content": "a"}] * 20_000}).encode(),
    "many wrong messages": json.dumps({"messages": [{}] * 100_000}).encode(),
    "twins": b'{"email": 1, "email": 2, "message": "a", "message": []}',
    "unknown fields": b'{"is_admin": true, "__proto__": {}, "message": "hi", "": 0}',
    "a list": b"[]",
    "a text": b'"email"',
    "nothing": b"null",
    "a form": b"email=a%40example.com&password=x",
    "spaces": b" " * 10_000,
    "over a mebibyte": b"{" + b" " * 2**20 + b"}",
    "over two mebibytes of bad utf-8": b"\xff" * 2**21,
}


@each_target_with_a_body
@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
def test_bodies_known_to_break_things_are_refused(target: Target, body: bytes) -> None:
    status = survives(target, event_of(target, body=body)).status

    assert status in {400, 401, 413, 422}


@each_target
@pytest.mark.parametrize(
    "name", ["x-padding", "authorization", "cookie", "origin", "accept-language", "x-forwarded-for"]
)
@pytest.mark.parametrize("value", ["x" * 9000, "zh," * 3000, "Bearer " + "a." * 4500])
def test_nine_kilobytes_of_header_are_answered(target: Target, name: str, value: str) -> None:
    survives(target, event_of(target, headers={name: value}, body=b"{}"))


@each_target
@pytest.mark.parametrize(
    "value", ["a\r\nX-Evil: 1", "\x00", "\ud800", "é", "https://app.example.com\r\nX: y"]
)
def test_no_header_gets_into_the_answer(target: Target, value: str) -> None:
    names = ("origin", "x-fc-request-id", "accept-language", "access-control-request-method")

    reply = survives(target, event_of(target, headers=dict.fromkeys(names, value)))

    assert all(value not in text for text in reply.headers.values())


PASSWORDS = [*("p" * length for length in (0, 1, 71, 72, 73, 1000)), "密" * 25]


@pytest.mark.parametrize("password", PASSWORDS, ids=lambda text: f"{len(text.encode())} bytes")
def test_passwords_of_any_length_are_taken_or_refused_by_name(password: str) -> None:
    name = str(len(password.encode()))

    opened = register(name, password=password)
    entered = log_in(name, password=password)

    expected = {0: (422, 422), 1: (422, 401)}.get(len(password), (201, 200))
    assert (opened.status, entered.status) == expected


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("user_id", ["", "nobody", "x" * 500, "\0", "药"])
def test_a_genuine_token_of_nobody_is_refused(user_id: str, stream: bool) -> None:
    token = issue_access(Claims(user_id, "s", "admin"))
    headers = [(b"authorization", f"Bearer {token}".encode())]
    body = json.dumps({"message": "hi", "stream": stream}).encode()

    answers = [
        invoke(export, "GET", "/api/admin/export", token=token, query={"dataset": "users"}),
        web("POST", "/api/chat", headers=headers, body=body),
    ]

    assert [(reply.status, reply.error) for reply in answers] == [(401, "invalid_token")] * 2
