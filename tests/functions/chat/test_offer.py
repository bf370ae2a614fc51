"""Chat with stored models: the upstream, the charge, and the visible details."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from functions.models import index
from shared.database.connection import Connection
from shared.database.transactions import read
from shared.pricing import Costs, Tokens, cost_ufen
from shared.repos import models
from shared.version import RELEASED_AT
from tests.conftest import Configure
from tests.events import invoke
from tests.fakes import upstream
from tests.fakes.upstream import COMPLETION_TOKENS, PROMPT_TOKENS, SENTENCE, Upstream
from tests.functions.admin.administering import ask as administer
from tests.functions.chat.chatting import ask
from tests.functions.exports.exporting import ask as export
from tests.functions.exports.exporting import csv_rows, json_lines, sheet_column
from tests.offering import KEYS_SECRET, offer, store
from tests.people import admin_token, new_person
from tests.web import WebFunction, serving

COSTS = Costs(input_ufen=80_000, cached_ufen=8_000, output_ufen=200_001)
KEY = "sk-canary-of-a-stored-upstream"


@pytest.fixture
def theirs() -> Iterator[Upstream]:
    """The fake server of a stored upstream."""
    with upstream.running() as server:
        yield server


@pytest.fixture
def secret(configure: Configure, database: str, variables: dict[str, str]) -> None:
    configure(
        DATABASE_URL=database,
        JWT_SECRET=variables["JWT_SECRET"],
        UPSTREAM_KEYS_SECRET=KEYS_SECRET,
        OPENAI_MODEL=variables["OPENAI_MODEL"],
    )


@contextmanager
def chatting(variables: dict[str, str], database: str) -> Iterator[WebFunction]:
    more = {"DATABASE_URL": database, "UPSTREAM_KEYS_SECRET": KEYS_SECRET}
    with serving("chat", **variables, **more) as web:
        yield web


def attempts(db: Connection) -> list[tuple[Any, ...]]:
    return list(db.stream("SELECT model, upstream, outcome, cost_ufen FROM upstream_attempts"))


def told(web: WebFunction, token: str) -> list[str]:
    listed = web.client.get("/v1/models", headers={"Authorization": f"Bearer {token}"}).json()
    return [model["id"] for model in listed["data"]]


def told_to_everybody() -> list[str]:
    index._cache.cache_clear()
    return [one["name"] for one in invoke(index.handler, "GET", "/api/models").data["items"]]


@pytest.mark.usefixtures("secret")
def test_a_stored_model_was_created_when_it_was_stored(
    variables: dict[str, str], database: str, theirs: Upstream
) -> None:
    offer("org/new")
    store("org/new", theirs.url, name="s1", key=KEY)
    [stored] = [one for one in read(models.list_all) if one.name == "org/new"]
    named = {"Authorization": f"Bearer {new_person().token}"}

    with chatting(variables, database) as web:
        told_one = web.client.get("/v1/models/org/new", headers=named).json()
        in_list = web.client.get("/v1/models", headers=named).json()["data"]

    assert told_one in in_list
    assert told_one["created"] == stored.created_at_ms // 1000
    assert told_one["created"] != RELEASED_AT


@pytest.mark.usefixtures("secret")
def test_a_stored_upstream_answers_with_its_own_key_and_its_cost_is_recorded(
    variables: dict[str, str], database: str, theirs: Upstream, fake: Upstream
) -> None:
    offer("new")
    costs = (COSTS.input_ufen, COSTS.cached_ufen, COSTS.output_ufen)
    store("new", theirs.url, name="s1", key=KEY, costs=costs)
    token = new_person().token

    with chatting(variables, database) as web:
        replies = [ask(web, token=token, model="new"), ask(web, token=token)]
        unknown = ask(web, token=token, model="nowhere")
        agreeing = told(web, token), told_to_everybody()
        log = web.log

    assert [(reply.data["reply"], reply.data["model"]) for reply in replies] == [
        (SENTENCE, "new"),
        (SENTENCE, "test-model"),
    ]
    assert (unknown.status, unknown.error) == (422, "invalid_request")
    assert agreeing == (["test-model", "new"], ["test-model", "new"])
    [asked] = theirs.requests
    assert (asked.headers["authorization"], asked.json["model"]) == (f"Bearer {KEY}", "theirs")
    assert len(fake.requests) == 1
    cost = cost_ufen(COSTS, Tokens(PROMPT_TOKENS, COMPLETION_TOKENS))
    assert sorted(read(attempts)) == [
        ("new", "s1", "ok", cost),
        ("test-model", "default", "ok", None),
    ]
    assert "canary" not in log


@pytest.mark.usefixtures("secret")
def test_fractions_of_an_upstreams_costs_reach_the_report_and_the_export(
    variables: dict[str, str], database: str, theirs: Upstream
) -> None:
    admin, anna = admin_token(), new_person()
    costs = {"input_fen_per_million": 100.001, "output_fen_per_million": 200.5}
    upstream_of_new = {"model": "new", "name": "s1", "url": theirs.url, "key": KEY, **costs}
    administer(admin, "POST", "models", {"name": "new"})
    assert administer(admin, "POST", "upstreams", upstream_of_new).status == 201

    with chatting(variables, database) as web:
        assert ask(web, token=anna.token, model="new").status == 200

    # (11 * 100.001 + 17 * 200.5) / 1000000 = 0.004508511
    [row] = administer(admin, "GET", "usage", query={"group": "upstream"}).data["rows"]
    assert (row["key"], row["cost_fen"]) == ("s1", 0.004509)
    [line] = json_lines(export(admin, dataset="usage", format="ndjson").body)
    assert line["cost_fen"] == 0.004509
    names, values = csv_rows(export(admin, dataset="usage", format="csv").body)
    assert values[names.index("cost_fen")] == "0.004509"
    [cell] = sheet_column(export(admin, dataset="usage", format="xlsx").body, "cost_fen")
    assert cell.value == 0.004509


@pytest.mark.usefixtures("secret")
def test_an_upstream_that_says_nothing_costs_nothing(
    variables: dict[str, str], database: str
) -> None:
    offer("dead")
    store("dead", upstream.refused_url(), name="s1", costs=(1, 1, 1))
    token = new_person().token

    with chatting(variables, database) as web:
        reply = ask(web, token=token, model="dead")

    assert (reply.status, reply.error) == (502, "upstream_error")
    assert set(read(attempts)) == {("dead", "s1", "upstream_error", 0)}


@pytest.mark.usefixtures("secret")
def test_where_no_model_is_enabled_nobody_is_asked(
    variables: dict[str, str], database: str, fake: Upstream
) -> None:
    offer("test-model", enabled=False)
    token = new_person().token

    with chatting(variables, database) as web:
        replies = [ask(web, token=token), ask(web, token=token, model="test-model")]
        agreeing = told(web, token), told_to_everybody()

    assert [(reply.status, reply.error) for reply in replies] == [(503, "misconfigured")] * 2
    assert agreeing == ([], [])
    assert fake.requests == []
