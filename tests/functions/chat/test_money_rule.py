"""The rule of charging: whatever was received is settled, an empty answer is free."""

from typing import Any

import pytest

from shared.database.transactions import read
from shared.repos import wallets
from tests.fakes.upstream import Upstream
from tests.functions.chat.chatting import (
    ask,
    events_of,
    hear,
    message_id_of,
    open_stream,
    pieces_of,
    stop,
)
from tests.functions.conftest import SignUp
from tests.ledger_checks import adds_up
from tests.people import Person, grant, use_up
from tests.web import WebFunction


@pytest.fixture
def anna(sign_up: SignUp) -> Person:
    """A user with money and without free messages."""
    anna = sign_up()
    use_up(anna)
    grant(anna, 10_000)
    return anna


def stopped_in_reasoning(web: WebFunction, person: Person, events: int) -> dict[str, Any]:
    """Stop an answer after so many events of reasoning; return the data of its last event."""
    with open_stream(web, "scenario: endless-reasoning", token=person.token) as answer:
        heard, pieces = b"", pieces_of(answer)
        while heard.count(b"event: reasoning") < events:
            heard += next(pieces)
        assert stop(web, message_id_of(heard), token=person.token) == 200
        heard += b"".join(pieces)
    return events_of(heard)[-1].data


def test_a_stop_during_the_reasoning_is_charged(stored: WebFunction, anna: Person) -> None:
    last = stopped_in_reasoning(stored, anna, 3)

    assert (last["finish_reason"], last["charge"]["amount_fen"]) == ("stop", 100)
    assert read(adds_up, anna.id) == wallets.Wallet(9_900, 0, 2, 0)


@pytest.mark.parametrize(
    ("name", "amount_fen"),
    [
        ("only-reasoning-and-stop", 100),
        ("only-a-tool-call", 100),
        ("error-after-reasoning", 100),
        ("no-text-but-a-reason", 0),
        ("error-first", 0),
        ("empty", 0),
    ],
)
def test_whatever_came_is_charged_and_nothing_is_free(
    name: str, amount_fen: int, stored: WebFunction, anna: Person
) -> None:
    charge = hear(stored, f"scenario: {name}", token=anna.token).last.data["charge"]

    assert charge["amount_fen"] == amount_fen
    assert read(adds_up, anna.id).balance_fen == 10_000 - amount_fen


def test_an_answer_that_was_charged_is_no_error_for_who_waited_for_all_of_it(
    stored: WebFunction, anna: Person
) -> None:
    reply = ask(stored, "scenario: error-after-reasoning", token=anna.token)

    assert (reply.status, reply.data["reply"], reply.data["error"]) == (200, "", "upstream_error")
    assert reply.data["charge"]["amount_fen"] == 100


def test_an_answer_of_reasoning_alone_is_no_context_of_the_next_question(
    stored: WebFunction, anna: Person, fake: Upstream
) -> None:
    first = ask(stored, "scenario: only-reasoning-and-stop", token=anna.token).data
    conversation_id = first["conversation_id"]
    assert ask(stored, "go on", token=anna.token, conversation_id=conversation_id).status == 200

    _, *sent = fake.requests[-1].json["messages"]
    assert [one["content"] for one in sent] == ["scenario: only-reasoning-and-stop", "go on"]
