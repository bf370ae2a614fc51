"""Administrators adjust balances."""

from functools import partial
from typing import Any

import pytest

from shared.database.transactions import read, transaction
from shared.ids import new_id
from tests.events import Reply
from tests.functions.admin.administering import ask, at_once, audited
from tests.functions.wallets import PER_MESSAGE, abandoned, books
from tests.people import add_user, admin_token, customer, token_of


def adjust(token: str, user_id: str, amount_fen: object, *, key: str = "", **more: object) -> Reply:
    body = {"user_id": user_id, "amount_fen": amount_fen, "reason": "sorry", **more}
    return ask(token, "POST", "credits", body, headers={"Idempotency-Key": key} if key else {})


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize(
    ("amount_fen", "kind"), [(500, "adjustment"), (-200, "adjustment"), (500, "grant")]
)
def test_an_adjustment_is_an_entry_in_the_ledger_and_in_the_audit_log(
    amount_fen: int, kind: str
) -> None:
    admin, anna = add_user("admin"), customer(300)

    reply = adjust(token_of(admin.id), anna, amount_fen, kind=kind)

    assert reply.status == 201
    assert reply.data == {
        "id": reply.data["id"],
        "user_id": anna,
        "kind": kind,
        "amount_fen": amount_fen,
        "balance_after_fen": 300 + amount_fen,
        "business_key": reply.data["business_key"],
        "reason": "sorry",
        "created_at": reply.data["created_at"],
    }
    assert audited() == [(admin.id, "credits.adjust", reply.data)]
    assert books(anna).balance_fen == 300 + amount_fen


@pytest.mark.usefixtures("database")
def test_somebodys_ledger_is_told_the_newest_first() -> None:
    token, anna = admin_token(), customer(300)
    adjust(token, customer(), 7)
    given = [adjust(token, anna, fen).data for fen in (1, -2, 3)]
    for entry in given:
        del entry["user_id"]

    first = ask(token, "GET", "credits", query={"user_id": anna, "limit": "2"}).data
    query = {"user_id": anna, "cursor": first["next_cursor"]}
    rest = ask(token, "GET", "credits", query=query).data

    assert first["items"] == [given[2], given[1]]
    assert (rest["items"][0], rest["next_cursor"]) == (given[0], None)
    grant = rest["items"][1]
    assert (grant["kind"], grant["business_key"]) == ("grant", f"grant:{anna}")
    assert ask(token, "GET", "credits", query={"user_id": new_id()}).status == 404
    assert ask(token, "GET", "credits").json["details"][0]["field"] == "query.user_id"


@pytest.mark.usefixtures("database")
def test_whoever_never_had_money_can_be_given_some() -> None:
    token, anna = admin_token(), add_user()

    assert adjust(token, anna.id, 5).data["balance_after_fen"] == 5
    assert books(anna.id).balance_fen == 5


@pytest.mark.usefixtures("database")
def test_what_is_reserved_cannot_be_taken() -> None:
    token, anna = admin_token(), customer(300)
    abandoned(anna, price=PER_MESSAGE)

    refused = adjust(token, anna, -201, key="k")

    assert (refused.status, refused.error) == (409, "balance_too_low")
    assert (books(anna).balance_fen, audited()) == (300, [])
    assert adjust(token, anna, -200, key="k").status == 201
    assert (books(anna).balance_fen, books(anna).reserved_fen) == (100, 100)


@pytest.mark.usefixtures("database")
def test_a_repetition_books_once_and_gets_the_first_answer() -> None:
    token, anna = admin_token(), customer()
    works = [partial(adjust, token, anna, 100, key="gift 1") for _ in range(8)]

    replies = [*at_once(*works), adjust(token, anna, 100, key="gift 1")]

    assert {reply.status for reply in replies} == {201}
    assert len({str(reply.data) for reply in replies}) == 1
    assert books(anna).balance_fen == 100
    assert len(audited()) == 1


@pytest.mark.usefixtures("database")
def test_a_key_stands_for_one_request_of_one_administrator() -> None:
    token, other, anna = admin_token(), admin_token(), customer()

    replies = [
        adjust(token, anna, 100, key="k"),
        adjust(token, anna, 101, key="k"),
        adjust(other, anna, 100, key="k"),
        adjust(token, anna, 100),
        adjust(token, anna, 100, key="k" * 256),
    ]

    told = [(reply.status, reply.json.get("error")) for reply in replies]
    assert told == [
        (201, None),
        (422, "idempotency_mismatch"),
        (201, None),
        (201, None),
        (422, "invalid_request"),
    ]
    assert books(anna).balance_fen == 300


@pytest.mark.usefixtures("database")
def test_a_key_gives_nothing_to_whoever_is_no_administrator_any_more() -> None:
    admin, anna = add_user("admin"), customer()
    token = token_of(admin.id)
    adjust(token, anna, 100, key="k")
    transaction(lambda db: db.execute("UPDATE users SET role = 'user'"))

    assert adjust(token, anna, 100, key="k").status == 403


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"amount_fen": 0}, "body"),
        ({"amount_fen": 1.5}, "body.amount_fen"),
        ({"amount_fen": "100"}, "body.amount_fen"),
        ({"amount_fen": True}, "body.amount_fen"),
        ({"amount_fen": 10**10}, "body.amount_fen"),
        ({"amount_fen": -5, "kind": "grant"}, "body"),
        ({"kind": "purchase"}, "body.kind"),
        ({"reason": " "}, "body.reason"),
        ({"reason": "a" * 201}, "body.reason"),
        ({"reason": None}, "body.reason"),
    ],
)
def test_what_is_no_amount_or_has_no_reason_is_refused(changes: dict[str, Any], field: str) -> None:
    anna = customer(10)

    reply = adjust(admin_token(), anna, **{"amount_fen": 100, **changes})

    assert (reply.status, reply.error) == (422, "invalid_request")
    assert [detail["field"] for detail in reply.json["details"]] == [field]
    assert books(anna).balance_fen == 10


@pytest.mark.usefixtures("database")
def test_nobody_has_no_wallet() -> None:
    token = admin_token()

    for user_id in (new_id(), "", "%", "é" * 300):
        reply = adjust(token, user_id, 100)
        assert (reply.status, reply.error) == (404, "not_found")
    assert not read(lambda db: db.exists("SELECT user_id FROM wallets"))
    assert audited() == []
