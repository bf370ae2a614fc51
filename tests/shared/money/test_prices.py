"""Price changes: the history is kept, and likely typing errors need confirmation."""

from dataclasses import replace
from multiprocessing import get_context
from typing import Any

import pytest

from shared.answers.conclusion import conclude
from shared.answers.ending import Ending
from shared.database import transactions
from shared.database.transactions import read, transaction
from shared.errors import Conflict, InvalidRequest
from shared.ids import new_id
from shared.money import price_list
from shared.money.price_list import NewPrice
from shared.pricing import Price, Tokens, price_json
from tests.conftest import Configure
from tests.functions.wallets import abandoned, books
from tests.people import customer

ADMIN = new_id()
MESSAGE = NewPrice("demo", "message", message_fen=50)
TOKENS = {"unit": "token", "message_fen": None, "input_ufen": 80_000, "output_ufen": 200_000}
TOKEN = NewPrice("demo", "token", input_ufen=80_000, cached_ufen=8_000, output_ufen=200_000)


def change(new_price: NewPrice, *, confirmed: bool = False) -> Price:
    return transaction(price_list.change, new_price, changed_by=ADMIN, confirmed=confirmed)


def current(model: str = "demo") -> Price | None:
    return read(price_list.current, model)


def history() -> list[tuple[Any, ...]]:
    return read(
        lambda connection: list(
            connection.stream(
                "SELECT version, unit, message_fen, output_ufen, changed_by FROM prices"
                " ORDER BY version"
            )
        )
    )


@pytest.mark.usefixtures("database")
def test_a_model_has_the_default_price_until_it_is_given_one(configure: Configure) -> None:
    configure(MESSAGE_PRICE_FEN="70")

    assert current() == Price("demo", 0, "message", message_fen=70)
    assert change(MESSAGE) == current() == Price("demo", 1, "message", message_fen=50)
    assert current("other") == Price("other", 0, "message", message_fen=70)


@pytest.mark.usefixtures("database")
def test_every_price_a_model_had_stays_with_whoever_set_it() -> None:
    change(MESSAGE)
    change(TOKEN, confirmed=True)
    change(replace(TOKEN, output_ufen=300_000))

    assert history() == [
        (1, "message", 50, 0, ADMIN),
        (2, "token", 0, 200_000, ADMIN),
        (3, "token", 0, 300_000, ADMIN),
    ]
    assert current() == Price("demo", 3, "token", 0, 80_000, 8_000, 300_000)


@pytest.mark.usefixtures("database")
def test_what_was_reserved_at_a_price_is_charged_at_it() -> None:
    anna, before = customer(1000), change(MESSAGE)
    turn = abandoned(anna, price=before)
    change(replace(MESSAGE, message_fen=500))

    outcome: Any = transaction(conclude, turn, Ending("Yes.", "stop", Tokens(1, 1)))

    assert outcome["charge"]["receipt"]["price"] == price_json(before)
    assert books(anna).balance_fen == 950


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize(("old", "new"), [(2, 200), (200, 2), (7, 7), (1, 100), (100, 1)])
def test_up_to_a_hundredfold_is_a_change_like_any_other(old: int, new: int) -> None:
    change(replace(MESSAGE, message_fen=old))

    assert change(replace(MESSAGE, message_fen=new)).version == 2


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize(("old", "new"), [(2, 201), (201, 2), (5, 0), (0, 1)])
def test_more_than_a_hundredfold_or_from_or_to_nothing_must_be_confirmed(
    old: int, new: int
) -> None:
    before = change(replace(MESSAGE, message_fen=old), confirmed=True)
    new_price = replace(MESSAGE, message_fen=new)

    with pytest.raises(InvalidRequest) as refused:
        change(new_price)

    problem = f"changes from {old} to {new}: must be confirmed"
    assert (refused.value.status, refused.value.name) == (422, "invalid_request")
    assert refused.value.details == [{"field": "body.message_fen", "problem": problem}]
    assert current() == before
    assert change(new_price, confirmed=True) == Price("demo", 2, "message", new) == current()


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("name", ["input", "cached", "output"])
@pytest.mark.parametrize("of_old", [lambda old: old * 100 + 1, lambda old: old // 101, lambda _: 0])
def test_each_part_of_a_token_price_is_watched(name: str, of_old: Any) -> None:
    change(TOKEN, confirmed=True)

    with pytest.raises(InvalidRequest) as refused:
        change(replace(TOKEN, **{f"{name}_ufen": of_old(getattr(TOKEN, f"{name}_ufen"))}))

    [detail] = refused.value.details
    assert detail["field"] == f"body.{name}_fen_per_million"


@pytest.mark.usefixtures("database")
def test_the_first_price_is_held_against_the_default() -> None:
    with pytest.raises(InvalidRequest):
        change(replace(MESSAGE, message_fen=10_001))

    assert change(replace(MESSAGE, message_fen=10_000)).version == 1


@pytest.mark.usefixtures("database")
def test_another_unit_must_be_confirmed_as_nothing_can_be_compared() -> None:
    with pytest.raises(InvalidRequest) as refused:
        change(TOKEN)

    assert {detail["field"]: detail["problem"] for detail in refused.value.details} == {
        "body.message_fen": "changes from 100 to 0: must be confirmed",
        "body.input_fen_per_million": "changes from 0 to 80: must be confirmed",
        "body.cached_fen_per_million": "changes from 0 to 8: must be confirmed",
        "body.output_fen_per_million": "changes from 0 to 200: must be confirmed",
    }
    assert change(TOKEN, confirmed=True).unit == "token"


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"model": ""}, "model"),
        ({"model": "m" * 129}, "model"),
        ({"model": "demo "}, "model"),
        ({"unit": "hour"}, "unit"),
        ({"message_fen": -1}, "message_fen"),
        ({"message_fen": 1_000_001}, "message_fen"),
        ({"message_fen": 1.5}, "message_fen"),
        ({"message_fen": True}, "message_fen"),
        ({"message_fen": None}, "message_fen"),
        ({"input_ufen": 1}, "input_fen_per_million"),
        ({**TOKENS, "message_fen": 5}, "message_fen"),
        ({**TOKENS, "input_ufen": None}, "input_fen_per_million"),
        ({**TOKENS, "output_ufen": None}, "output_fen_per_million"),
        ({**TOKENS, "output_ufen": 10**12 + 1}, "output_fen_per_million"),
    ],
)
def test_what_is_no_price_is_refused_even_if_confirmed(changes: Any, field: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        change(replace(MESSAGE, **changes), confirmed=True)

    assert refused.value.name == "invalid_request"
    assert [detail["field"] for detail in refused.value.details] == [f"body.{field}"]
    assert history() == []


@pytest.mark.usefixtures("database")
def test_where_nothing_is_sold_there_is_no_price(configure: Configure) -> None:
    configure(ENABLE_CREDIT_SYSTEM="false")

    assert current() is None


def _changed_in_a_process(fen: int) -> list[int]:
    """Try to change a price ten times in one process; return the created versions."""
    made = []
    for _ in range(10):
        try:
            made.append(change(replace(MESSAGE, message_fen=fen)).version)
        except Conflict:
            continue
    transactions.disconnect()
    return made


@pytest.mark.usefixtures("database")
def test_changes_at_once_get_versions_of_their_own() -> None:
    transactions.disconnect()
    with get_context("spawn").Pool(4) as pool:
        each = pool.map(_changed_in_a_process, [40, 50, 60, 70], chunksize=1)

    made = sorted(version for versions in each for version in versions)
    assert made == list(range(1, len(made) + 1))
    assert [version for version, *_ in history()] == made
    assert len(made) >= 10
