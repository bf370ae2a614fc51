"""Repeated requests with the same idempotency key have one effect."""

import json

import pytest

from shared.database.transactions import read
from shared.repos import wallets
from tests.events import Reply
from tests.fakes.upstream import SENTENCE, Upstream
from tests.functions.chat.chatting import (
    Stream,
    StreamEvent,
    ask,
    ask_at_once,
    events_of,
    hear,
    message_id_of,
    open_stream,
    pieces_of,
    post,
    stop,
)
from tests.functions.conftest import Pair, SignUp
from tests.ledger_checks import adds_up
from tests.people import Person, paying
from tests.web import WebFunction

KEY = {"Idempotency-Key": "the key of a client"}


@pytest.fixture
def anna(join: SignUp) -> Person:
    """A user with plenty of money and no free messages."""
    return paying(join(), 100_000)


def test_a_hundred_at_once_have_one_effect(pair: Pair, anna: Person, fake: Upstream) -> None:
    replies = ask_at_once(pair, [{"message": "hi"}] * 100, token=anna.token, headers=KEY)
    answers = [one.data for one in replies if one.status == 200]
    others = [(one.status, one.error) for one in replies if one.status != 200]

    assert set(others) <= {(409, "in_progress")}
    assert answers == [answers[0]] * len(answers)
    assert len(fake.requests) == 1
    assert read(adds_up, anna.id) == wallets.Wallet(99_900, 0, 2, 0)


def test_a_repetition_is_given_the_first_answer_whole_and_streamed(
    pair: Pair, anna: Person, fake: Upstream
) -> None:
    def tell(web: WebFunction, **headers: str) -> Reply:
        asked = {"message": "scenario: reasoning", "client_message_id": "m-1"}
        return post(web, asked, token=anna.token, headers=headers)

    first = tell(pair[0])
    again, streamed = tell(pair[1]), tell(pair[1], Accept="text/event-stream")

    assert again.data == first.data
    assert Stream.of(streamed).text == first.data["reply"] == SENTENCE
    told = Stream.of(streamed).last.data
    assert told == {name: first.data[name] for name in told}
    assert len(fake.requests) == 1


def test_only_a_repetition_resumes_after_the_last_event_of_the_client(
    pair: Pair, anna: Person
) -> None:
    headers = {**KEY, "Last-Event-ID": "3.0"}
    first, again = (hear(web, token=anna.token, headers=headers) for web in pair)

    assert first.text == SENTENCE
    assert text_of(events_of(again.body, (3, 0))) == SENTENCE[3:]


def text_of(events: list[StreamEvent]) -> str:
    return "".join(event.data["text"] for event in events if event.name == "delta")


def test_a_repeated_stream_is_told_once_more(pair: Pair, anna: Person, fake: Upstream) -> None:
    first = hear(pair[0], token=anna.token, headers=KEY)
    again = hear(pair[1], token=anna.token, headers=KEY)

    assert (again.text, again.last, again.events[0]) == (first.text, first.last, first.events[0])
    assert len(fake.requests) == 1


def test_a_twin_of_an_answer_under_way_is_told_so(pair: Pair, anna: Person) -> None:
    with open_stream(pair[0], "scenario: endless", token=anna.token, headers=KEY) as answer:
        running = message_id_of(next(pieces_of(answer)))
        asked = json.loads(answer.request.read())
        twin = post(pair[1], asked, token=anna.token, headers=KEY)

    assert (twin.status, twin.error) == (409, "in_progress")
    assert stop(pair[1], running, token=anna.token) == 200


def test_a_key_used_for_something_else_is_refused(pair: Pair, anna: Person, fake: Upstream) -> None:
    ask(pair[0], "one thing", token=anna.token, headers=KEY)
    other = ask(pair[1], "another", token=anna.token, headers=KEY)

    assert (other.status, other.error) == (422, "idempotency_mismatch")
    assert len(fake.requests) == 1


def test_the_key_of_somebody_else_means_nothing(pair: Pair, anna: Person, join: SignUp) -> None:
    hers = ask(pair[0], "hers", token=anna.token, headers=KEY)
    his = ask(pair[1], "his", token=join().token, headers=KEY)

    assert (hers.status, his.status) == (200, 200)
    assert hers.data["message_id"] != his.data["message_id"]


def test_what_failed_may_be_tried_again_with_the_same_key(
    pair: Pair, anna: Person, fake: Upstream
) -> None:
    told = [ask(web, "scenario: status-400", token=anna.token, headers=KEY).status for web in pair]

    assert told == [400, 400]
    assert len(fake.requests) == 2
    assert read(adds_up, anna.id) == wallets.Wallet(100_000, 0, 1, 0)


@pytest.mark.parametrize(("length", "status"), [(255, 200), (256, 422)])
def test_a_key_has_at_most_255_characters(
    length: int, status: int, pair: Pair, anna: Person
) -> None:
    key = {"Idempotency-Key": "k" * length}

    assert ask(pair[0], token=anna.token, headers=key).status == status
