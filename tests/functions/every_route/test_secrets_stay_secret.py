"""Thirty secrets are sent to every route in every way; none is returned or logged."""

import itertools
import json
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import WITHOUT_LIMITS, Configure
from tests.fakes.upstream import Upstream
from tests.fakes.upstream_scenarios import encodings
from tests.functions.every_route.fair_requests import Person, fair, person
from tests.functions.every_route.routes import ROUTES, Caller, Route
from tests.web import serving


def _canary(name: str) -> str:
    return f"canary-{name}-{secrets.token_hex(16)}"


# Where deployments keep them, and where clients send them.
ENVIRONMENT = {
    name: _canary(name)
    for name in (
        "JWT_SECRET",
        "OPENAI_API_KEY",
        "ADMIN_PASSWORD",
        "UPSTREAM_KEYS_SECRET",
        "OSS_ACCESS_KEY_SECRET",
        "WECHAT_SECRET",
        "WECHAT_PAY_V3KEY",
        "METRICS_TOKEN",
    )
}
HEADERS = {
    name: _canary(name)
    for name in (
        "Cookie",
        "Proxy-Authorization",
        "X-Api-Key",
        "X-Fc-Access-Key-Id",
        "X-Fc-Access-Key-Secret",
        "X-Fc-Security-Token",
        "Referer",
    )
}
FIELDS = {
    name: _canary(name)
    for name in (
        "password",
        "current_password",
        "new_password",
        "refresh_token",
        "access_token",
        "key",
        "api_key",
        "secret",
        "code",
        "session_key",
        "message",
        "content",
    )
}
FIELDS["message"] += " scenario: quoting-encoded"  # the upstream then quotes it, and the key
QUERY = {name: _canary(name) for name in ("token", "signature")}
BEARER = _canary("bearer")
SECRETS = {
    name: text.partition(" ")[0]
    for name, text in {
        **ENVIRONMENT,
        **HEADERS,
        **FIELDS,
        **QUERY,
        "bearer": BEARER,
    }.items()
}


@pytest.fixture
def caller(
    configure: Configure, database: str, upstream_server: Upstream, tmp_path: Path
) -> Iterator[Caller]:
    given = {
        **WITHOUT_LIMITS,
        **ENVIRONMENT,
        "STORAGE_FOLDER": str(tmp_path / "storage"),
        "ADMIN_USERNAME": "canary",
        "OPENAI_API_URL": upstream_server.url,
        "OPENAI_MODEL": "test-model",
        "DATABASE_URL": database,
    }
    configure(**given)
    with serving("chat", **given) as web:
        yield Caller(web)


def test_there_are_thirty() -> None:
    assert len(set(SECRETS.values())) == 30


def test_no_secret_is_answered_or_logged(
    caller: Caller, capsys: pytest.CaptureFixture[str]
) -> None:
    admin = person("admin")
    heard = [
        (str(route), answer)
        for route in ROUTES
        for body in bodies(route, admin)
        for answer in answers(caller, route, body, admin)
    ]
    logged = capsys.readouterr().out + caller.web.log

    leaks = [
        (name, route)
        for route, answer in heard
        for name, text in SECRETS.items()
        if any(form in answer for form in encodings(text))
    ]
    assert leaks == []
    forms = [(name, form) for name, text in SECRETS.items() for form in encodings(text)]
    assert [name for name, form in forms if form in logged] == []
    assert '"error": "upstream_rejected"' in logged  # the upstream really complained
    assert len(logged.splitlines()) > len(heard)  # the log was really looked at


def bodies(route: Route, admin: Person) -> Iterator[Any]:
    """Bodies with the secrets in unknown fields, known fields, wrong types, and as a list."""
    asked = fair(route, person(), admin).body
    fields = asked if isinstance(asked, dict) else {}
    yield {**FIELDS, **fields}
    yield {**fields, **FIELDS}
    yield {**fields, **{name: text for name, text in FIELDS.items() if name in fields}}
    yield {**fields, **{name: [text, {text: text}] for name, text in FIELDS.items()}}
    yield {**fields, "messages": [{"role": "user", "content": FIELDS["content"]}]}
    yield list(FIELDS.values())


def answers(caller: Caller, route: Route, body: Any, admin: Person) -> Iterator[str]:
    """The answers to a permitted caller and to one with an invalid token."""
    asked = fair(route, person(), admin)
    for token, query in itertools.product((asked.token, BEARER), ({}, QUERY)):
        reply = caller.ask(route, *asked.ids, token=token, body=body, query=query, headers=HEADERS)
        yield json.dumps(dict(reply.headers)) + reply.body.decode(errors="replace")
