"""Administrators change prices: with a history, and a confirmation of unlikely ones."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from shared.database import transactions
from tests.events import Reply
from tests.functions.admin.administering import ask
from tests.functions.exports.exporting import audit_entries
from tests.people import admin_token

pytestmark = pytest.mark.usefixtures("database")


def change(token: str, **fields: object) -> Reply:
    return ask(token, "POST", "prices", {"model": "m", "unit": "message", **fields})


def test_a_price_is_changed_written_down_and_the_history_stays() -> None:
    token = admin_token()

    made = change(token, message_fen=50, version=9, changed_by="me")
    change(token, message_fen=60)
    change(token, model="other", message_fen=70)

    assert (made.status, made.data) == (
        201,
        {
            "model": "m",
            "version": 1,
            "unit": "message",
            "message_fen": 50,
            "input_ufen": 0,
            "cached_ufen": 0,
            "output_ufen": 0,
            "formula": "amount_fen = message_fen",
        },
    )
    latest = ask(token, "GET", "prices").data
    assert [(one["model"], one["version"]) for one in latest["prices"]] == [("m", 2), ("other", 1)]
    history = ask(token, "GET", "prices", query={"model": "m"}).data["prices"]
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
        seen += [one["version"] for one in told["prices"]]
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
    history = ask(token, "GET", "prices", query={"model": "m", "limit": "100"}).data["prices"]
    assert len(history) == len(versions) == len(audit_entries())


@pytest.mark.parametrize(
    "fields",
    [
        {"model": ""},
        {"unit": "hour"},
        {"message_fen": -1},
        {"message_fen": "many"},
        {"unit": "token", "message_fen": 5},
        {"message_fen": 5, "input_ufen": 5},
    ],
)
def test_what_is_no_price_is_refused(fields: dict[str, object]) -> None:
    token = admin_token()

    reply = change(token, confirmed=True, **fields)

    assert (reply.status, reply.error) == (422, "invalid_request")
    assert ask(token, "GET", "prices").data["prices"] == []
    assert audit_entries() == []
