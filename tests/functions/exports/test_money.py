"""Export: orders, ledger entries and usage, as stored."""

import json

import pytest

from shared.answers.conclusion import conclude
from shared.answers.ending import Ending
from shared.database.connection import Connection
from shared.database.transactions import read, transaction
from shared.pricing import Tokens
from shared.repos import turns, upstream_calls
from shared.repos.turns import Turn
from shared.repos.upstream_calls import UpstreamCall
from tests.functions.exports.exporting import (
    ANNA,
    add_users,
    admin_token,
    ask,
    csv_rows,
    insert,
    json_lines,
)
from tests.functions.wallets import PER_MESSAGE, abandoned
from tests.people import NOON_MS, customer


def rows(dataset: str) -> list[dict[str, object]]:
    return json_lines(ask(admin_token(), dataset=dataset, format="ndjson").body)


@pytest.mark.usefixtures("database")
def test_an_order_leaves_with_all_its_moments() -> None:
    add_users(ANNA)
    order: dict[str, object] = {
        "number": "20261122-1",
        "user_id": ANNA.id,
        "package_id": "=small",
        "amount_fen": 990,
        "credit_fen": 1000,
        "status": "paid",
        "transaction_id": "4200000000",
    }
    times = {"created_at_ms": NOON_MS, "paid_at_ms": NOON_MS + 61_000, "refunded_at_ms": None}
    transaction(insert, "orders", **order, **times)
    token = admin_token()
    assert json_lines(ask(token, dataset="orders", format="ndjson").body) == [
        {
            **order,
            "created_at": "2026-11-22T12:00:00.000Z",
            "paid_at": "2026-11-22T12:01:01.000Z",
            "refunded_at": None,
        }
    ]
    assert csv_rows(ask(token, dataset="orders").body)[1] == [
        *("20261122-1", ANNA.id, "'=small", "990", "1000", "paid", "4200000000"),
        *("2026-11-22T12:00:00.000Z", "2026-11-22T12:01:01.000Z", ""),
    ]


@pytest.mark.usefixtures("database")
def test_the_ledger_leaves_entry_by_entry() -> None:
    user_id = customer(balance_fen=500)
    (row,) = rows("transactions")
    assert {**row, "id": "", "created_at": ""} == {
        "id": "",
        "user_id": user_id,
        "entry_number": 1,
        "kind": "grant",
        "amount_fen": 500,
        "balance_after_fen": 500,
        "business_key": f"grant:{user_id}",
        "reason": "",
        "created_at": "",
        "receipt": None,
    }


@pytest.mark.usefixtures("database")
def test_a_turn_leaves_with_its_receipt_and_how_it_went_and_without_a_word() -> None:
    turn = abandoned(customer(balance_fen=500), price=PER_MESSAGE, payment="balance")
    ending = Ending("A canary of an answer", "stop", Tokens(12, 5, source="reported"))
    transaction(_answered, turn, ending)

    (row,) = rows("usage")

    receipt = json.loads(str(row.pop("receipt")))
    assert (receipt["prompt_tokens"], receipt["price"]["message_fen"]) == (12, 100)
    assert "canary" not in str(row)
    assert {name: row[name] for name in ("message_id", "state", "payment", "day", "model")} == {
        "message_id": turn.message_id,
        "state": "settled",
        "payment": "balance",
        "day": turn.day,
        "model": "demo",
    }
    assert [row[name] for name in ("attempts", "upstream", "outcome", "first_token_ms")] == [
        *(2, "second", "ok", 40),
    ]


def _answered(db: Connection, turn: Turn, ending: Ending) -> None:
    asked = [UpstreamCall("first", "busy", None, 9), UpstreamCall("second", "ok", 40, 90)]
    for number, attempt in enumerate(asked, 1):
        upstream_calls.add(
            db, turn.message_id, number, attempt, ending.tokens, model="m", at_ms=number
        )
    conclude(db, turns.get(db, turn.message_id), ending)


@pytest.mark.usefixtures("database")
def test_a_turn_nobody_paid_for_has_no_receipt() -> None:
    turn = abandoned(customer())
    transaction(
        conclude,
        read(turns.get, turn.message_id),
        Ending("", "stop", Tokens(1, 0, source="estimated"), error="x"),
    )

    (row,) = rows("usage")

    assert (row["receipt"], row["attempts"], row["upstream"]) == (None, 0, None)
