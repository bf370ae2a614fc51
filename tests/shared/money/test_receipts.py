"""Receipts: the amount can be computed from them, rounded up once, also by hand."""

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.maintenance.index import handler as maintenance
from scripts.tooling.environment import ROOT
from shared.database.connection import Connection
from shared.database.transactions import read, transaction
from shared.ids import new_id
from shared.money import charging
from shared.money.outcome import stored_outcome
from shared.pricing import Price, Tokens, fen_per_million, formula
from shared.repos import turns
from shared.repos.answer_chunks import AnswerChunk
from shared.repos.turns import Turn
from tests.events import Context
from tests.functions.wallets import abandoned, books
from tests.people import customer
from tests.receipts import evaluated

EVENT = b'{"triggerTime":"2026-11-22T06:00:00Z","triggerName":"every-minute","payload":""}'
# The stored price of a turn. Other versions of this product read and write these names: 80, 8
# and 200 fen per million tokens.
STORED = {
    "model": "demo",
    "version": 7,
    "unit": "token",
    "message_fen": 0,
    "input_ufen": 80_000,
    "cached_ufen": 8_000,
    "output_ufen": 200_000,
}
PRICE = Price("demo", 7, "token", input_ufen=80_000, cached_ufen=8_000, output_ufen=200_000)

ufen = st.integers(0, 10**12)
counts = st.integers(0, 2**31 - 1)


def turn(price: Price, reserved_fen: int) -> Turn:
    return Turn(
        message_id=new_id(),
        subject="anna",
        user_id="anna",
        conversation_id=None,
        question=None,
        model="demo",
        payment="balance",
        day="2026-11-22",
        daily_limit=0,
        reserved_fen=reserved_fen,
        price=json.dumps(vars(price)),
        prompt_tokens=0,
        lease_until_ms=0,
        created_at_ms=0,
    )


@given(ufen, ufen, ufen, counts, counts, st.floats(0, 1), st.integers(0, 2**62))
def test_the_formula_of_any_receipt_gives_the_amount(
    fresh: int, cached: int, output: int, prompt: int, completion: int, share: float, reserved: int
) -> None:
    price = Price("demo", 1, "token", 0, fresh, cached, output)
    tokens = Tokens(prompt, completion, cached=min(int(prompt * share), prompt))

    charge = charging.charge_for(turn(price, reserved), tokens)

    assert charge.receipt is not None
    assert charge.amount_fen == evaluated(charge.receipt)


@given(ufen)
def test_a_price_is_written_without_an_error_of_rounding(stored: int) -> None:
    written = json.dumps(fen_per_million(stored))

    assert Decimal(written) * 1000 == stored


@pytest.mark.parametrize("fen", [1, 2, 92, 10_000])
@pytest.mark.parametrize(("more_ufen", "rounded_up"), [(-1, 0), (0, 0), (1, 1)])
def test_a_charge_is_rounded_up_to_a_whole_fen(fen: int, more_ufen: int, rounded_up: int) -> None:
    """1,000 tokens at a million times the fen per million tokens cost a thousand times that."""
    price = Price("demo", 1, "token", output_ufen=1_000_000 * fen + more_ufen)

    charge = charging.charge_for(turn(price, 10**9), Tokens(0, 1000))

    assert charge.amount_fen == fen + rounded_up


@pytest.mark.usefixtures("database")
def test_a_turn_of_another_version_is_settled_and_ours_can_be_settled_by_it() -> None:
    anna = customer(1000)
    opened = abandoned(anna, AnswerChunk("text", "Yes."), price=PRICE, prompt_tokens=500_000)
    assert json.loads(read(turns.get, opened.message_id).price) == STORED
    older = json.dumps({**STORED, "input_ufen": 160_000})
    transaction(_set_price, opened, older)

    maintenance(EVENT, Context())

    charge = stored_outcome(read(turns.get, opened.message_id))["charge"]
    assert isinstance(charge, dict)
    assert charge["amount_fen"] == evaluated(charge["receipt"])
    assert charge["receipt"]["price"]["input_fen_per_million"] == 160
    assert books(anna).balance_fen == 1000 - charge["amount_fen"]


def _set_price(db: Connection, opened: Turn, price: str) -> None:
    sql = "UPDATE turns SET price = :price WHERE message_id = :id"
    db.execute(sql, price=price, id=opened.message_id)


@pytest.mark.parametrize("name", ["README.md", "README.zh-CN.md"])
def test_the_documents_show_the_formula_and_its_example(name: str) -> None:
    text = (ROOT / "functions" / name).read_text()

    amount = charging.charge_for(turn(PRICE, 10**9), Tokens(1200, 340, cached=1000)).amount_fen

    assert formula(PRICE) in text
    assert "ceil(((1200 - 1000) * 80 + 1000 * 8 + 340 * 200) / 1000000)" in text
    assert f"min(ceil(0.092), reserved_fen) = {amount}\n" in text
