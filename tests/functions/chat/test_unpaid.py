"""Bounds of what is free: messages that nothing came for, and the length of prompts."""

import json
from collections.abc import Iterator

import pytest

from shared.database.transactions import read
from shared.repos import daily_messages, wallets
from shared.times import now_ms, shanghai_day
from tests.events import Reply
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
from tests.functions.conftest import Pair, SignUp
from tests.ledger_checks import adds_up
from tests.people import Person, paying
from tests.web import WebFunction, serving

V1 = "/v1/chat/completions"


@pytest.fixture(scope="module")
def bounded(stored: WebFunction) -> Iterator[Pair]:
    """Two instances on one database that allow three messages that nothing came for."""
    given = {**stored.variables, "UNPAID_LIMIT": "3/1d"}
    with serving("chat", **given) as one, serving("chat", **given) as other:
        yield one, other


@pytest.fixture
def anna(sign_up: SignUp) -> Person:
    """A user with money and without free messages."""
    return paying(sign_up(), 10_000)


def ask_v1(web: WebFunction, person: Person, text: str, **headers: str) -> Reply:
    body = {"messages": [{"role": "user", "content": text}]}
    named = {"Authorization": f"Bearer {person.token}", **headers}
    answer = web.client.post(V1, content=json.dumps(body).encode(), headers=named)
    return Reply(answer.status_code, answer.headers, answer.content)


def stop_at_once(web: WebFunction, person: Person, fake: Upstream) -> object:
    """Stop an answer as soon as the upstream has the request; return its charge."""
    before = len(fake.requests)
    with open_stream(web, "scenario: silence", token=person.token) as answer:
        pieces = pieces_of(answer)
        heard = next(pieces)
        assert fake.wait_until(lambda: len(fake.requests) > before)
        assert stop(web, message_id_of(heard), token=person.token) == 200
        heard += b"".join(pieces)
    return events_of(heard)[-1].data["charge"]["amount_fen"]


def test_what_was_stopped_at_once_is_free_three_times_and_no_more(
    bounded: Pair, anna: Person, sign_up: SignUp, fake: Upstream
) -> None:
    charges = [stop_at_once(bounded[number % 2], anna, fake) for number in range(3)]
    refused = ask(bounded[1], token=anna.token), hear(bounded[0], token=anna.token)
    by_v1 = ask_v1(bounded[0], anna, "hi")

    assert charges == [0, 0, 0]
    assert (refused[0].status, refused[0].error, refused[1].status) == (429, "rate_limited", 429)
    assert 0 < int(refused[0].headers["retry-after"]) <= 24 * 3600
    assert (by_v1.status, by_v1.json["error"]["code"]) == (429, "rate_limited")
    assert len(fake.requests) == 3
    assert read(adds_up, anna.id) == wallets.Wallet(10_000, 0, 1, 0)
    assert ask(bounded[0], token=sign_up().token).status == 200


@pytest.mark.parametrize("name", ["plain", "only-reasoning-and-stop", "error-later", "status-400"])
def test_neither_what_is_paid_nor_what_the_upstream_refuses_counts(
    name: str, bounded: Pair, anna: Person
) -> None:
    for _ in range(4):
        hear(bounded[0], f"scenario: {name}", token=anna.token)

    assert ask(bounded[1], token=anna.token).status == 200


@pytest.mark.parametrize("name", ["empty", "no-text-but-a-reason", "error-first"])
def test_an_empty_answer_counts_also_for_a_guest(
    name: str, bounded: Pair, guest_ip: str, fake: Upstream
) -> None:
    headers = {"X-Forwarded-For": guest_ip}
    for _ in range(3):
        hear(bounded[0], f"scenario: {name}", headers=headers)

    refused = ask(bounded[1], headers=headers)

    assert (refused.status, refused.error) == (429, "rate_limited")


def test_a_prompt_of_900_kilobytes_never_reaches_the_upstream(
    stored: WebFunction, anna: Person, fake: Upstream
) -> None:
    refused = ask_v1(stored, anna, "word " * 180_000, **{"Idempotency-Key": "a key"})
    again = ask_v1(stored, anna, "word " * 180_000, **{"Idempotency-Key": "a key"})

    for one in (refused, again):
        error = one.json["error"]
        assert (one.status, error["code"]) == (400, "context_length_exceeded")
        assert (error["type"], error["param"]) == ("invalid_request_error", "messages")
        assert "225000" in error["message"]
    assert fake.requests == []
    assert read(adds_up, anna.id) == wallets.Wallet(10_000, 0, 1, 0)


@pytest.fixture
def narrow(stored: WebFunction, fake: Upstream) -> Iterator[WebFunction]:
    """An instance with an upstream of short prompts among its two."""
    one = {"url": fake.url, "key": "sk-a"}
    listed = [{"name": "long", **one}, {"name": "short", "prompt_tokens": 200, **one}]
    given = {"UPSTREAMS": json.dumps(listed), "CONTEXT_TOKENS": "100000"}
    with serving("chat", **{**stored.variables, **given}) as web:
        yield web


def test_an_upstream_may_have_a_shorter_limit_of_its_own(
    narrow: WebFunction, sign_up: SignUp, fake: Upstream
) -> None:
    """Nothing is reserved for what is refused, and the oldest turns are left out before that."""
    anna = sign_up()
    refused = ask(narrow, "长" * 200, token=anna.token)
    used = read(daily_messages.find_used, anna.id, shanghai_day(now_ms()))
    first = ask(narrow, "长" * 100, token=anna.token)
    more = ask(narrow, "长" * 101, token=anna.token, conversation_id=first.data["conversation_id"])

    assert (refused.status, refused.error, used or 0) == (413, "prompt_too_long", 0)
    assert [first.status, more.status] == [200, 200]
    assert len(fake.requests) == 2
    assert [one["role"] for one in fake.requests[1].json["messages"]] == ["system", "user"]


def test_chat_without_a_database_has_the_same_bound(
    variables: dict[str, str], fake: Upstream
) -> None:
    with serving("chat", **variables, PROMPT_TOKENS="50") as web:
        refused = ask(web, "长" * 51)

    assert (refused.status, refused.error) == (413, "prompt_too_long")
    assert fake.requests == []
