"""Administrators change prices: with a history, and a confirmation of unlikely ones."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from functions.admin.index import handler as admin
from shared.database import transactions
from tests.events import Reply, call, v1_event
from tests.functions.admin.administering import ask
from tests.functions.exports.exporting import audit_entries
from tests.people import admin_token

pytestmark = pytest.mark.usefixtures("database")


def change(token: str, **fields: object) -> Reply:
    return ask(token, "POST", "prices", {"model": "m", "unit": "message", **fields})


def test_a_price_is_changed_written_down_and_the_history_stays() -> None:
    token = admin_token()

    made = change(token, message_fen=50)
    change(token, message_fen=60)
    change(token, model="other", message_fen=70)

    assert (made.status, made.data) == (
        201,
        {
            "model": "m",
            "version": 1,
            "unit": "message",
            "message_fen": 50,
            "input_fen_per_million": 0,
            "cached_fen_per_million": 0,
            "output_fen_per_million": 0,
            "formula": "amount_fen = message_fen",
        },
    )
    latest = ask(token, "GET", "prices").data
    assert [(one["model"], one["version"]) for one in latest["items"]] == [("m", 2), ("other", 1)]
    history = ask(token, "GET", "prices", query={"model": "m"}).data["items"]
    assert [(one["version"], one["message_fen"]) for one in history] == [(2, 60), (1, 50)]
    admin = audit_entries()[0].actor_id
    assert history[1] == {
        **made.data,
        "changed_by": admin,
        "created_at": history[1]["created_at"],
    }
    details = [json.loads(entry.detail) for entry in audit_entries()]
    assert [entry.action for entry in audit_entries()] == ["price.change"] * 3
    assert {
        **{name: value for name, value in made.data.items() if name != "formula"},
        "confirmed": False,
    } in details


def test_more_than_a_hundredfold_must_be_confirmed() -> None:
    token = admin_token()
    change(token, message_fen=5)

    slip = change(token, message_fen=501)
    meant = change(token, message_fen=501, confirmed=True)

    assert (slip.status, slip.error) == (422, "invalid_request")
    assert slip.json["details"][0]["field"] == "body.message_fen"
    assert (meant.status, meant.data["version"]) == (201, 2)
    assert len(audit_entries()) == 2


def test_the_history_comes_in_pages() -> None:
    token = admin_token()
    for fen in range(50, 57):
        change(token, message_fen=fen)
    seen, cursor = list[int](), dict[str, str]()
    while True:
        query = {"model": "m", "limit": "3", **cursor}
        told = ask(token, "GET", "prices", query=query).data
        seen += [one["version"] for one in told["items"]]
        if told["next_cursor"] is None:
            break
        cursor = {"cursor": told["next_cursor"]}

    assert seen == [7, 6, 5, 4, 3, 2, 1]


def test_changes_at_once_get_a_version_each_or_are_told_to_look_again() -> None:
    token = admin_token()

    def change_and_leave(fen: int) -> Reply:
        try:
            return change(token, message_fen=fen)
        finally:
            transactions.disconnect()

    with ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(change_and_leave, range(50, 74)))

    versions = sorted(reply.data["version"] for reply in replies if reply.status == 201)
    assert versions == list(range(1, len(versions) + 1))
    assert {reply.status for reply in replies} <= {201, 409, 503}
    history = ask(token, "GET", "prices", query={"model": "m", "limit": "100"}).data["items"]
    assert len(history) == len(versions) == len(audit_entries())


@pytest.mark.parametrize(
    "fields",
    [
        {"model": ""},
        {"unit": "hour"},
        {"message_fen": -1},
        {"message_fen": "many"},
        {"unit": "token", "message_fen": 5},
        {"message_fen": 5, "input_fen_per_million": 5},
        {"message_fen": True},
        {"message_fen": "50"},
        {"message_fen": 50.5},
        {"message_fen": None},
    ],
)
def test_what_is_no_price_is_refused(fields: dict[str, object]) -> None:
    token = admin_token()

    reply = change(token, confirmed=True, **fields)

    assert (reply.status, reply.error) == (422, "invalid_request")
    assert ask(token, "GET", "prices").data["items"] == []
    assert audit_entries() == []


def change_in_text(token: str, prices: str) -> Reply:
    """Change to a price per token; the body holds these characters."""
    body = f'{{"model": "m", "unit": "token", "confirmed": true, {prices}}}'
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    event = v1_event("POST", "/api/admin/prices", body=body.encode(), headers=headers)
    return call(admin, event)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("0", "0"),
        ("0.001", "0.001"),
        ("80", "80"),
        ("80.0", "80"),
        ("0.1000", "0.1"),
        ("8e1", "80"),
        ("1.15", "1.15"),
        ("4503599.627", "4503599.627"),
        ("999999999.999", "999999999.999"),
        ("1000000000", "1000000000"),
    ],
)
def test_a_price_per_token_is_shown_as_it_was_given(text: str, shown: str) -> None:
    token = admin_token()
    prices = ("input", "cached", "output")
    made = change_in_text(token, ", ".join(f'"{one}_fen_per_million": {text}' for one in prices))

    assert made.status == 201, made.body
    for reply in (made, ask(token, "GET", "prices")):
        for one in prices:
            assert f'"{one}_fen_per_million":{shown},'.encode() in reply.body


@pytest.mark.parametrize("name", ["input", "cached", "output"])
@pytest.mark.parametrize(
    "text",
    [
        "-1",
        "-0.001",
        "0.0001",
        "80.1230000000000000000000000000000000000001",
        "1000000000.001",
        "1e400",
        "1e-400",
        "1e99999999999999999999",
        "1e-99999999999999999999",
        '"80"',
        '"NaN"',
        "true",
        "[80]",
    ],
)
def test_no_other_value_is_a_price_per_token(name: str, text: str) -> None:
    token = admin_token()
    prices = {"input": "80", "cached": "8", "output": "200", name: text}
    fields = ", ".join(f'"{one}_fen_per_million": {price}' for one, price in prices.items())

    reply = change_in_text(token, fields)

    assert (reply.status, reply.error) == (422, "invalid_request")
    assert [one["field"] for one in reply.json["details"]] == [f"body.{name}_fen_per_million"]
    assert audit_entries() == []


@pytest.mark.parametrize(
    ("fields", "missing"),
    [
        ({"unit": "token"}, ["input_fen_per_million", "output_fen_per_million"]),
        ({"unit": "token", "input_fen_per_million": 80}, ["output_fen_per_million"]),
        ({"unit": "token", "output_fen_per_million": 0}, ["input_fen_per_million"]),
        ({"unit": "token", "cached_fen_per_million": 8, "input_fen_per_million": None}, None),
        ({"unit": "message"}, ["message_fen"]),
    ],
)
def test_a_price_that_is_not_given_is_not_zero(
    fields: dict[str, object], missing: list[str] | None
) -> None:
    token = admin_token()

    reply = change(token, confirmed=True, **fields)

    assert (reply.status, reply.error) == (422, "invalid_request")
    both = ["input_fen_per_million", "output_fen_per_million"]
    named = [one["field"] for one in reply.json["details"]]
    assert named == [f"body.{one}" for one in missing or both]
    assert ask(token, "GET", "prices").data["items"] == []


def test_input_from_a_cache_costs_as_much_as_other_input_unless_a_price_is_given() -> None:
    token = admin_token()
    given = {"unit": "token", "input_fen_per_million": 80.5, "output_fen_per_million": 200}

    omitted = change(token, confirmed=True, **given)
    free = change(token, confirmed=True, **given, cached_fen_per_million=0)

    assert omitted.data["cached_fen_per_million"] == 80.5
    assert free.data["cached_fen_per_million"] == 0


def test_a_price_per_token_that_jumps_must_be_confirmed() -> None:
    token = admin_token()
    given: dict[str, object] = {"unit": "token", "input_fen_per_million": 80.5}
    change(token, confirmed=True, **given, output_fen_per_million=0.123)

    slip = change(token, **given, output_fen_per_million=12.301)
    allowed = change(token, **given, output_fen_per_million=12.3)

    problem = "changes from 0.123 to 12.301: must be confirmed"
    assert slip.json["details"] == [{"field": "body.output_fen_per_million", "problem": problem}]
    assert (slip.status, allowed.status) == (422, 201)


def test_the_names_of_the_old_unit_are_refused_with_the_new_name() -> None:
    token = admin_token()

    reply = change(token, unit="token", input_ufen=80_000, output_ufen=200_000, confirmed=True)

    assert (reply.status, reply.error) == (422, "invalid_request")
    assert reply.json["details"] == [
        {
            "field": f"body.{name}_ufen",
            "problem": f"is now {name}_fen_per_million, in fen per million tokens",
        }
        for name in ("input", "output")
    ]
