"""Access to administration: only active administrators, checked in the database on every path."""

import re
from dataclasses import replace

import pytest

from functions.admin.index import handler as admin
from shared.accounts.tokens import Claims, issue_access
from shared.ids import new_id
from shared.web.endpoint import Endpoint
from tests.conftest import Configure
from tests.events import Reply, invoke
from tests.people import add_user, token_of

each_endpoint = pytest.mark.parametrize(
    "endpoint", admin.endpoints, ids=lambda one: f"{one.method} {one.paths[0]}"
)


def ask(endpoint: Endpoint, token: str = "") -> Reply:
    path = re.sub(r"{\w+}", new_id(), endpoint.paths[0])
    return invoke(admin, endpoint.method, path, token=token)


@each_endpoint
@pytest.mark.usefixtures("database")
def test_a_stranger_is_told_to_sign_in(endpoint: Endpoint) -> None:
    told = [(reply.status, reply.error) for reply in (ask(endpoint), ask(endpoint, "nonsense"))]

    assert told == [(401, "unauthorized"), (401, "invalid_token")]


@each_endpoint
@pytest.mark.usefixtures("database")
def test_nobody_else_may_whatever_the_token_claims(endpoint: Endpoint) -> None:
    anna = add_user()
    gone = replace(add_user("admin"), id=new_id())
    disabled = add_user("admin", disabled_at_ms=1)
    told = [ask(endpoint, token_of(one.id, role="admin")) for one in (anna, gone, disabled)]

    assert [(reply.status, reply.error) for reply in told] == [
        (403, "forbidden"),
        (401, "invalid_token"),
        (401, "invalid_token"),
    ]


@each_endpoint
@pytest.mark.usefixtures("database")
def test_an_administrator_is_let_in_whatever_the_token_claims(endpoint: Endpoint) -> None:
    reply = ask(endpoint, token_of(add_user("admin").id, role="user"))

    assert reply.status not in {401, 403}
    assert reply.status < 500


@each_endpoint
@pytest.mark.parametrize(
    ("url", "error"),
    [
        (None, "database_not_configured"),
        ("mysql://me:secret@127.0.0.1:1/shop", "database_unavailable"),
    ],
)
def test_without_a_database_it_is_503(
    configure: Configure, endpoint: Endpoint, url: str | None, error: str
) -> None:
    token = issue_access(Claims("root", "session", "admin"))
    configure(DATABASE_URL=url)

    reply = ask(endpoint, token)

    assert (reply.status, reply.error) == (503, error)
