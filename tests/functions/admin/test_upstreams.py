"""Administrators store, change and test upstreams; keys are never returned."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from functions.admin import connection_test
from shared.database.connection import Connection
from shared.database.transactions import read, transaction
from shared.errors import ChangedMeanwhile, Misconfigured
from shared.ids import new_id
from shared.llm import sealing
from shared.repos import upstreams
from shared.repos.upstreams import Changes
from tests.conftest import Configure
from tests.events import Reply
from tests.fakes import upstream as fakes
from tests.fakes.upstream import SENTENCE, Upstream
from tests.functions.admin.administering import ask
from tests.functions.exports.exporting import audit_entries
from tests.offering import KEYS_SECRET, swap_keys
from tests.people import admin_token

URL = "https://api.example.com/v1"
KEY = "sk-canary-0123456789-tail"

pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture(autouse=True)
def _secret(configure: Configure, database: str) -> None:
    configure(UPSTREAM_KEYS_SECRET=KEYS_SECRET)


@pytest.fixture
def token() -> str:
    """The token of an administrator; a model `m` exists."""
    made = admin_token()
    ask(made, "POST", "models", {"name": "m"})
    return made


def create(token: str, **fields: object) -> Reply:
    body = {"model": "m", "name": "first", "url": URL, "key": KEY, **fields}
    return ask(token, "POST", "upstreams", body)


def stored(upstream_id: str) -> upstreams.StoredUpstream:
    return read(upstreams.get, upstream_id)


def key_of(upstream_id: str) -> str:
    row = stored(upstream_id)
    return sealing.unseal(row.sealed_key, row.id, row.url).reveal()


def done() -> list[tuple[str, Any]]:
    """The audited actions without those of the model, sorted: two may happen in one millisecond."""
    entries = [(entry.action, json.loads(entry.detail)) for entry in audit_entries()]
    return sorted((one for one in entries if one[0] != "model.create"), key=str)


def test_an_upstream_is_stored_with_its_key_and_told_without(token: str) -> None:
    made = create(
        token,
        weight=3,
        input_fen_per_million=0.125,
        output_fen_per_million=200,
    )

    assert made.status == 201
    told = made.data
    assert told == {
        "id": told["id"],
        "model": "m",
        "name": "first",
        "url": "https://api.example.com/v1/chat/completions",
        "vendor_model": "m",
        "key_hint": "tail",
        "weight": 3,
        "input_fen_per_million": 0.125,
        "cached_fen_per_million": 0.125,
        "output_fen_per_million": 200,
        "enabled": True,
        "vision": False,
        "created_at": told["created_at"],
        "updated_at": told["created_at"],
    }
    assert ask(token, "GET", "upstreams").data == {"items": [told], "next_cursor": None}
    assert key_of(told["id"]) == KEY
    [(action, detail)] = done()
    assert action == "upstream.create"
    assert detail == {
        name: value
        for name, value in told.items()
        if name not in {"key_hint", "created_at", "updated_at"}
    }


def test_the_end_of_a_short_key_would_be_too_much_of_it(token: str) -> None:
    assert create(token, key="sk-short-12").data["key_hint"] == ""


def test_what_is_not_given_stays_and_a_new_key_takes_the_place_of_the_old(token: str) -> None:
    made = create(token).data
    path = f"upstreams/{made['id']}"

    renamed = ask(token, "PATCH", path, {"name": "other", "weight": 9})
    assert renamed.data == {
        **made,
        "name": "other",
        "weight": 9,
        "updated_at": renamed.data["updated_at"],
    }
    assert key_of(made["id"]) == KEY

    replaced = ask(token, "PATCH", path, {"key": "sk-canary-of-another-last", "enabled": False})
    assert (replaced.data["key_hint"], replaced.data["enabled"]) == ("last", False)
    assert key_of(made["id"]) == "sk-canary-of-another-last"
    assert done()[:-1] == [
        ("upstream.change", {"id": made["id"], "enabled": False, "key_replaced": True}),
        (
            "upstream.change",
            {"id": made["id"], "name": "other", "weight": 9, "key_replaced": False},
        ),
    ]


def test_an_upstream_is_marked_as_one_that_takes_pictures(token: str) -> None:
    made = create(token, vision=True).data
    path = f"upstreams/{made['id']}"

    assert made["vision"] is True
    assert ask(token, "PATCH", path, {"weight": 2}).data["vision"] is True
    assert ask(token, "PATCH", path, {"vision": False}).data["vision"] is False
    assert done()[0][1] == {"id": made["id"], "vision": False, "key_replaced": False}


def test_costs_are_changed_one_by_one_and_audited_as_they_were_given(token: str) -> None:
    made = create(token, input_fen_per_million=80.5, output_fen_per_million=200).data

    reply = ask(token, "PATCH", f"upstreams/{made['id']}", {"cached_fen_per_million": 0.125})

    assert reply.data == {
        **made,
        "cached_fen_per_million": 0.125,
        "updated_at": reply.data["updated_at"],
    }
    detail = {"id": made["id"], "cached_fen_per_million": 0.125, "key_replaced": False}
    assert done()[0] == ("upstream.change", detail)


def test_a_key_goes_to_no_other_server_unless_it_is_given_again(token: str) -> None:
    made = create(token).data
    path = f"upstreams/{made['id']}"

    for url in ("https://evil.example.com/v1", "http://api.example.com/v1", URL[:-3] + ":444/v1"):
        reply = ask(token, "PATCH", path, {"url": url})
        assert (reply.status, reply.json["details"][0]["field"]) == (422, "body.key")
    assert ask(token, "PATCH", path, {"url": "https://api.example.com/v2"}).status == 200
    assert key_of(made["id"]) == KEY

    moved = ask(token, "PATCH", path, {"url": "https://api.example.org/v1", "key": KEY + "-two"})
    assert moved.data["url"] == "https://api.example.org/v1/chat/completions"
    assert key_of(made["id"]) == KEY + "-two"


def test_a_key_sealed_for_a_url_that_has_just_changed_is_not_stored(token: str) -> None:
    known = stored(create(token).data["id"])
    path = f"upstreams/{known.id}"
    ask(token, "PATCH", path, {"url": "https://api.example.org/v1", "key": KEY})

    with pytest.raises(ChangedMeanwhile):
        transaction(upstreams.change, known, Changes(sealed_key=known.sealed_key), at_ms=1)

    assert key_of(known.id) == KEY


def test_keys_in_each_others_rows_do_not_open(token: str, fake: Upstream) -> None:
    ids = [create(token, name=name, url=fake.url).data["id"] for name in ("a", "b")]
    swap_keys(*(stored(one) for one in ids))

    for one in ids:
        with pytest.raises(Misconfigured):
            key_of(one)
        told = ask(token, "POST", f"upstreams/{one}/test").data
        assert (told["ok"], told["error"]) == (False, "misconfigured")
    assert fake.requests == []


def test_one_that_is_deleted_is_gone(token: str) -> None:
    made = create(token).data

    assert ask(token, "DELETE", f"upstreams/{made['id']}").data == {"id": made["id"]}
    assert ask(token, "GET", "upstreams").data == {"items": [], "next_cursor": None}
    assert [action for action, _ in done()] == ["upstream.create", "upstream.delete"]
    for method, path in (("DELETE", ""), ("PATCH", ""), ("POST", "/test")):
        for unknown in (made["id"], new_id(), made["id"] + " "):
            reply = ask(token, method, f"upstreams/{unknown}{path}", {})
            assert (reply.status, reply.error) == (404, "not_found")


def test_names_are_taken_once_and_models_must_be_stored(token: str) -> None:
    create(token)
    other = create(token, name="second").data

    taken = [create(token), ask(token, "PATCH", f"upstreams/{other['id']}", {"name": "first"})]
    unknown = create(token, name="third", model="nowhere")

    assert [(reply.status, reply.error) for reply in taken] == [(409, "name_taken")] * 2
    assert (unknown.status, unknown.json["details"][0]["field"]) == (422, "body.model")
    assert len(done()) == 2


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"url": "ftp://x"}, "url"),
        ({"url": "https://"}, "url"),
        ({"url": "https://me:secret@api.example.com"}, "url"),
        ({"url": "https://api.example.com?x=1"}, "url"),
        ({"url": "https://api.example.com/#x"}, "url"),
        ({"url": "https://api.example.com/" + "x" * 480}, "url"),
        ({"key": "short"}, "key"),
        ({"key": "k" * 501}, "key"),
        ({"key": "sk-canary-with a blank"}, "key"),
        ({"key": "sk-canary-line\nbreak"}, "key"),
        ({"key": "sk-canary-密钥密钥"}, "key"),
        ({"name": ""}, "name"),
        ({"name": "a b"}, "name"),
        ({"name": "n" * 65}, "name"),
        ({"vendor_model": "v" * 129}, "vendor_model"),
        ({"weight": 0}, "weight"),
        ({"weight": 101}, "weight"),
        ({"weight": 1.5}, "weight"),
        ({"input_fen_per_million": -1}, "input_fen_per_million"),
        ({"cached_fen_per_million": 0.0001}, "cached_fen_per_million"),
        ({"output_fen_per_million": 10**9 + 1}, "output_fen_per_million"),
        ({"output_fen_per_million": "8"}, "output_fen_per_million"),
        ({"output_fen_per_million": True}, "output_fen_per_million"),
        ({"input_ufen": 80_000}, "input_ufen"),
        ({"enabled": "maybe"}, "enabled"),
    ],
)
def test_what_is_no_upstream_is_refused_without_its_key(
    token: str, fields: dict[str, Any], field: str
) -> None:
    made = create(token, name="good").data
    replies = [
        create(token, **fields),
        ask(token, "PATCH", f"upstreams/{made['id']}", fields),
    ]

    for reply in replies:
        assert (reply.status, reply.error) == (422, "invalid_request")
        assert [detail["field"] for detail in reply.json["details"]] == [f"body.{field}"]
        assert "canary" not in reply.body.decode()
    assert len(done()) == 1


def test_without_the_secret_only_what_needs_it_breaks(token: str, configure: Configure) -> None:
    made = create(token).data
    configure(UPSTREAM_KEYS_SECRET=None)

    refused = [
        create(token, name="b"),
        ask(token, "PATCH", f"upstreams/{made['id']}", {"key": KEY}),
    ]
    tried = ask(token, "POST", f"upstreams/{made['id']}/test").data

    assert [(reply.status, reply.error) for reply in refused] == [(503, "misconfigured")] * 2
    assert (tried["ok"], tried["error"]) == (False, "misconfigured")
    assert ask(token, "PATCH", f"upstreams/{made['id']}", {"weight": 2}).status == 200
    assert ask(token, "GET", "upstreams").status == 200


def test_the_key_is_in_no_answer_no_log_and_no_table(
    token: str, fake: Upstream, capfd: pytest.CaptureFixture[str]
) -> None:
    told = b""
    made = create(token, url=fake.url)
    path = f"upstreams/{made.data['id']}"
    for method, where, body in (
        ("PATCH", path, {"key": KEY}),
        ("PATCH", path, {"key": KEY, "weight": 0}),
        ("POST", "upstreams", {"key": KEY}),
        ("POST", "upstreams", {"name": [KEY], "key": {"key": KEY}}),
        ("GET", "upstreams", None),
        ("POST", f"{path}/test", None),
        ("DELETE", path, None),
    ):
        told += ask(token, method, where, body).body
        if method != "DELETE":
            assert KEY not in "".join(map(str, read(everything)))
    out, err = capfd.readouterr()

    assert "request" in out
    for text in (made.body.decode(), told.decode(), out, err, "".join(map(str, read(everything)))):
        assert "canary" not in text


def everything(db: Connection) -> Iterator[object]:
    """A dump of the tables that these tests write."""
    rows: list[object] = []
    rows += db.stream(
        "SELECT id, model, name, url, vendor_model, sealed_key, key_hint FROM upstreams"
    )
    rows += db.stream("SELECT action, detail FROM audit_log")
    return iter(rows)


@pytest.fixture
def fake() -> Iterator[Upstream]:
    with fakes.running() as server:
        yield server


def test_the_test_makes_one_real_call_and_tells_how_it_went(token: str, fake: Upstream) -> None:
    made = create(token, url=fake.url, vendor_model="theirs").data

    told = ask(token, "POST", f"upstreams/{made['id']}/test").data

    assert told == {
        "ok": True,
        "latency_ms": told["latency_ms"],
        "first_token_ms": told["first_token_ms"],
        "said": SENTENCE[:100],
    }
    assert 0 <= told["first_token_ms"] <= told["latency_ms"]
    [asked] = fake.requests
    assert asked.headers["authorization"] == f"Bearer {KEY}"
    assert (asked.json["model"], asked.json["max_tokens"]) == ("theirs", 16)
    assert done()[1:] == [("upstream.test", {"id": made["id"], "name": "first"})]


@pytest.mark.parametrize(
    ("scenario", "expected"),
    [
        (
            "status-401",
            {
                "error": "upstream_misconfigured",
                "status": 401,
                "reason": "refused",
                "trouble": 401,
            },
        ),
        ("status-429", {"error": "upstream_busy", "status": 429, "reason": "refused"}),
        ("error-first", {"error": "upstream_error", "status": 200, "reason": "refused"}),
    ],
)
def test_a_failure_is_told_by_its_name_without_a_word_of_the_vendor(
    token: str, fake: Upstream, scenario: str, expected: dict[str, object]
) -> None:
    made = create(token, url=fake.url, vendor_model=f"scenario:{scenario}").data

    reply = ask(token, "POST", f"upstreams/{made['id']}/test")

    told = reply.data
    assert told == {"ok": False, **expected, "latency_ms": told["latency_ms"]}


def test_an_answer_without_an_end_is_left_after_the_time_there_is(
    token: str, fake: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_test, "_SECONDS", 1)
    made = create(token, url=fake.url, vendor_model="scenario:endless").data

    told = ask(token, "POST", f"upstreams/{made['id']}/test").data

    assert (told["ok"], told["error"], told["reason"]) == (
        False,
        "upstream_timeout",
        "whole answer",
    )
    assert 1000 <= told["latency_ms"] < 2500
    assert fake.wait_closed()


def test_an_upstream_that_is_not_there_is_told(token: str) -> None:
    made = create(token, url=fakes.refused_url()).data

    told = ask(token, "POST", f"upstreams/{made['id']}/test").data

    assert (told["ok"], told["error"], told["reason"]) == (False, "upstream_error", "ConnectError")


@pytest.mark.parametrize("database", ["mariadb"], indirect=True)
def test_in_production_an_upstream_is_on_the_public_internet(
    token: str, configure: Configure, database: str
) -> None:
    before = create(token, url=fakes.refused_url()).data
    configure(APP_ENV="production")
    inside = [
        "http://api.example.com",
        "https://127.0.0.1",
        "https://10.0.0.5/v1",
        "https://100.100.100.200/latest/meta-data",
        "https://169.254.169.254",
        "https://[::1]/v1",
        "https://[::ffff:10.0.0.5]/v1",
        "https://2130706433/v1",
    ]

    refused = [create(token, name="b", url=url) for url in inside]
    refused += [ask(token, "PATCH", f"upstreams/{before['id']}", {"url": url}) for url in inside]

    assert {(reply.status, reply.json["details"][0]["field"]) for reply in refused} == {
        (422, "body.url")
    }
    assert create(token, name="c").status == 201
    for url in (None, "https://localhost/v1"):
        changed = {"url": url, "key": KEY} if url else {}
        assert ask(token, "PATCH", f"upstreams/{before['id']}", changed).status == 200
        told = ask(token, "POST", f"upstreams/{before['id']}/test").data
        assert (told["ok"], told["error"], told["reason"]) == (False, "upstream_error", "NotPublic")
