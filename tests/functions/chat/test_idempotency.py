"""Repeated requests with the same idempotency key have one effect."""

import hashlib
import hmac
import json

import pytest

from shared.database.transactions import read, transaction
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
    post,
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

    assert {one.status for one in replies} == {200}
    assert [one.data for one in replies] == [replies[0].data] * 100
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


def test_a_key_ends_where_the_client_ends_it(pair: Pair, anna: Person, fake: Upstream) -> None:
    """MySQL overlooks blanks at the end of a text; a hash stands for such a key."""
    keys = ["X", "X ", "X  ", "x", " X"]
    hashed = f"sha256:{hashlib.sha256(b'X ').hexdigest()}"
    ids = [
        ask(web, key, token=anna.token, client_message_id=key).data["message_id"]
        for web in pair
        for key in [*keys, hashed]
    ]

    assert ids[:6] == ids[6:]
    assert len(set(ids)) == len(fake.requests) == 6


def test_a_key_that_an_earlier_version_stored_is_known(
    pair: Pair, anna: Person, fake: Upstream
) -> None:
    """It hashed the bytes of the body."""
    body = json.dumps({"message": "hi"}).encode()
    first = ask(pair[0], "hi", token=anna.token, headers=KEY)
    secret = pair[0].variables["JWT_SECRET"].encode()
    old = hmac.new(secret, b"request:/api/chat\n" + body, hashlib.sha256).hexdigest()
    sql = "UPDATE idempotency_keys SET request_hash = :old WHERE subject = :subject"
    transaction(lambda db: db.execute(sql, old=old, subject=anna.id))

    assert ask(pair[1], "hi", token=anna.token, headers=KEY).data == first.data
    assert ask(pair[1], "ho", token=anna.token, headers=KEY).error == "idempotency_mismatch"
    assert len(fake.requests) == 1


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
