"""Credits: balance, transactions and prices."""

import re
from dataclasses import replace
from typing import Any

import pytest

from functions.credits.index import handler as credits
from shared.accounts.tokens import Claims, issue_access
from shared.answers.conclusion import conclude
from shared.answers.ending import Ending
from shared.cursor import Cursor
from shared.database.transactions import transaction
from shared.ids import new_id
from shared.money import price_list
from shared.money.price_list import NewPrice
from shared.pricing import Tokens
from shared.repos import wallets
from shared.web.pagination import encode_cursor
from tests.conftest import Configure
from tests.events import Reply, invoke
from tests.functions.wallets import PER_MESSAGE, abandoned
from tests.people import add_user, customer, token_of

PATHS = ["/api/credits", "/api/credits/transactions", "/api/credits/pricing"]


def ask(path: str, token: str = "", *, method: str = "GET", **query: str) -> Reply:
    return invoke(credits, method, path, token=token, query=query)


def page(token: str, **query: str) -> Any:
    reply = ask("/api/credits/transactions", token, **query)
    assert reply.status == 200
    return reply.data


def book(user_id: str, kind: str, *amounts: int) -> None:
    for number, amount in enumerate(amounts):
        key, reason = f"{kind}:{user_id}:{number}", f"{kind} {number}"
        assert transaction(wallets.book, user_id, kind, amount, key=key, reason=reason)


@pytest.mark.usefixtures("database")
def test_it_says_what_is_free_today_and_what_may_still_be_spent(configure: Configure) -> None:
    configure(DAILY_FREE_MESSAGES="3")
    anna = customer(1000)
    abandoned(anna)
    abandoned(anna, price=PER_MESSAGE)

    assert ask("/api/credits", token_of(anna)).json == {
        "code": 0,
        "message": "OK",
        "data": {
            "daily_limit": 3,
            "used_today": 1,
            "remaining": 2,
            "balance_fen": 900,
            "reserved_fen": 100,
        },
        "request_id": "1-event",
    }


@pytest.mark.usefixtures("database")
def test_less_than_nothing_never_remains(configure: Configure) -> None:
    anna = customer()
    abandoned(anna)
    abandoned(anna)
    configure(DAILY_FREE_MESSAGES="1")

    told = ask("/api/credits", token_of(anna)).data
    assert (told["used_today"], told["remaining"]) == (2, 0)


@pytest.mark.usefixtures("database")
def test_whoever_has_never_chatted_has_nothing_yet() -> None:
    user_id = add_user().id

    assert ask("/api/credits", token_of(user_id)).data == {
        "daily_limit": 20,
        "used_today": 0,
        "remaining": 20,
        "balance_fen": 0,
        "reserved_fen": 0,
    }
    assert page(token_of(user_id)) == {"items": [], "next_cursor": None}


@pytest.mark.usefixtures("database")
def test_transactions_are_the_ledger_the_newest_first() -> None:
    anna = customer(1000)
    turn = abandoned(anna, price=PER_MESSAGE)
    transaction(conclude, turn, Ending("Yes.", "stop", Tokens(1, 1)))
    book(anna, "refund", 40)

    told = page(token_of(anna))

    ids = [entry.pop("id") for entry in told["items"]]
    times = [entry.pop("created_at") for entry in told["items"]]
    assert len({*ids}) == 3
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", at) for at in times)
    assert told == {
        "items": [
            {"kind": "refund", "amount_fen": 40, "balance_after_fen": 940, "reason": "refund 0"},
            {"kind": "charge", "amount_fen": -100, "balance_after_fen": 900, "reason": ""},
            {"kind": "grant", "amount_fen": 1000, "balance_after_fen": 1000, "reason": ""},
        ],
        "next_cursor": None,
    }


@pytest.mark.usefixtures("database")
def test_pages_follow_each_other_whatever_is_booked_meanwhile() -> None:
    anna = customer()
    book(anna, "grant", *range(1, 26))
    token, seen, cursor = token_of(anna), list[int](), dict[str, str]()
    while True:
        told = page(token, limit="7", **cursor)
        seen += [entry["amount_fen"] for entry in told["items"]]
        if told["next_cursor"] is None:
            break
        cursor = {"cursor": told["next_cursor"]}
        transaction(wallets.book, anna, "grant", 999, key=f"late:{anna}:{len(seen)}")

    assert seen == list(range(25, 0, -1))
    assert len(page(token)["items"]) == 20
    assert len(page(token, limit="100")["items"]) == 28
    assert page(token, limit="28")["next_cursor"] is None
    assert page(token, limit="27")["next_cursor"] is not None


@pytest.mark.usefixtures("database")
def test_nobody_sees_anything_of_somebody_else() -> None:
    anna, ben = customer(700), customer()
    book(anna, "grant", *[5] * 30)
    cursor = page(token_of(anna))["next_cursor"]
    for token in (token_of(ben), token_of(ben, role="admin")):
        assert page(token)["items"] == []
        assert page(token, cursor=cursor)["items"] == []
        assert ask("/api/credits", token).data["balance_fen"] == 0
        assert ask("/api/credits", token, user_id=anna).status == 422


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize(
    "query",
    [
        {"limit": "0"},
        {"limit": "101"},
        {"limit": "many"},
        {"limit": ""},
        {"cursor": ""},
        {"cursor": "é"},
        {"cursor": "a"},
        {"cursor": "YWJj"},
        {"cursor": encode_cursor(Cursor(5, "a"))[:-1] + "!"},
        {"cursor": encode_cursor(Cursor(10**15, "a"))},
        {"cursor": "A" * 5000},
    ],
)
def test_paging_that_means_nothing_is_refused(query: dict[str, str]) -> None:
    reply = ask("/api/credits/transactions", token_of(customer()), **query)

    assert (reply.status, reply.error) == (422, "invalid_request")
    assert [detail["field"] for detail in reply.json["details"]] == [f"query.{min(query)}"]


@pytest.mark.usefixtures("database")
def test_pricing_tells_the_default_and_each_model_that_costs_something_else(
    configure: Configure,
) -> None:
    configure(MESSAGE_PRICE_FEN="70", GUEST_DAILY_MESSAGES="2")
    token = token_of(customer())
    told = {
        "daily_free_messages": 20,
        "guest_daily_messages": 2,
        "credit_system": True,
        "message_price_fen": 70,
    }
    assert ask("/api/credits/pricing", token).data == {**told, "items": [], "next_cursor": None}

    small = NewPrice("small", "message", message_fen=30)
    large = NewPrice("large", "token", input_ufen=80_125, output_ufen=200_000)
    for wanted in (small, replace(small, message_fen=40), large):
        transaction(price_list.change, wanted, changed_by=new_id(), confirmed=True)

    by_tokens, by_message = ask("/api/credits/pricing", token).data["items"]
    assert by_tokens.pop("formula").startswith("amount_fen = min(ceil(")
    assert by_tokens == {
        "model": "large",
        "version": 1,
        "unit": "token",
        "message_fen": 0,
        "input_fen_per_million": 80.125,
        "cached_fen_per_million": 80.125,
        "output_fen_per_million": 200,
    }
    assert by_message.pop("formula") == "amount_fen = message_fen"
    assert by_message == {
        "model": "small",
        "version": 2,
        "unit": "message",
        "message_fen": 40,
        "input_fen_per_million": 0,
        "cached_fen_per_million": 0,
        "output_fen_per_million": 0,
    }


@pytest.mark.usefixtures("database")
def test_where_nothing_is_sold_pricing_lists_nothing(configure: Configure) -> None:
    price = NewPrice("demo", "message", message_fen=50)
    transaction(price_list.change, price, changed_by=new_id())
    configure(ENABLE_CREDIT_SYSTEM="false")

    told = ask("/api/credits/pricing", token_of(customer())).data
    assert (told["credit_system"], told["items"]) == (False, [])


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("path", PATHS)
def test_only_people_with_an_account_are_told(path: str) -> None:
    anna = customer()
    transaction(
        lambda connection: connection.execute(
            "UPDATE users SET disabled_at_ms = 1 WHERE id = :id", id=anna
        )
    )
    refused = [(r.status, r.error) for r in (ask(path), ask(path, "nonsense"))]

    assert refused == [(401, "unauthorized"), (401, "invalid_token")]
    for unknown in (anna, new_id()):
        reply = ask(path, token_of(unknown))
        assert (reply.status, reply.error) == (401, "invalid_token")


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    ("url", "error"),
    [
        (None, "database_not_configured"),
        ("mysql://me:secret@127.0.0.1:1/shop", "database_unavailable"),
    ],
)
def test_without_a_database_it_is_503(
    configure: Configure, path: str, url: str | None, error: str
) -> None:
    configure(DATABASE_URL=url)

    reply = ask(path, issue_access(Claims("anna", "session", "user")))

    assert (reply.status, reply.error) == (503, error)


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("path", PATHS)
def test_it_can_only_be_read(path: str) -> None:
    token = token_of(customer())

    assert ask(path, token, method="POST").status == 405
    head = ask(path, token, method="HEAD")
    assert (head.status, head.body) == (200, b"")
