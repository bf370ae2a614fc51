"""Prices per token, from the administrator's request to the charge of an answer."""

from collections.abc import Iterator

import pytest

from shared.database.transactions import transaction
from tests.fakes.upstream import COMPLETION_TOKENS, PROMPT_TOKENS
from tests.functions.admin.administering import ask as administer
from tests.functions.chat.chatting import ask
from tests.functions.conftest import SignUp
from tests.people import admin_token, grant, use_up
from tests.receipts import evaluated
from tests.web import WebFunction

# With these prices the answer of the fake upstream costs exactly one fen.
INPUT, OUTPUT = 90_906, 2


@pytest.fixture(autouse=True)
def _no_price_stays(sign_up: SignUp) -> Iterator[None]:
    """Other tests use the database of `stored` too."""
    yield
    transaction(lambda db: db.execute("DELETE FROM prices"))


def test_the_prices_of_these_tests_make_one_fen() -> None:
    assert PROMPT_TOKENS * INPUT + COMPLETION_TOKENS * OUTPUT == 1_000_000


@pytest.mark.parametrize(("output", "fen"), [(1.999, 1), (2, 1), (2.001, 2)])
def test_a_charge_is_rounded_up_to_a_whole_fen(
    output: float, fen: int, stored: WebFunction, sign_up: SignUp
) -> None:
    anna, price = sign_up(), {"input_fen_per_million": INPUT, "output_fen_per_million": output}
    body = {"model": "test-model", "unit": "token", **price, "confirmed": True}
    assert administer(admin_token(), "POST", "prices", body).status == 201
    use_up(anna)
    grant(anna, 100)

    charge = ask(stored, "a question " * 100, token=anna.token).data["charge"]

    assert charge["amount_fen"] == evaluated(charge["receipt"]) == fen
    assert charge["receipt"]["reserved_fen"] > fen
    assert charge["receipt"]["price"] == {
        "model": "test-model",
        "version": 1,
        "unit": "token",
        "message_fen": 0,
        **price,
        "cached_fen_per_million": INPUT,
    }
