"""An answer that ends while the database is away is booked once, whole, when it is back."""

import json
import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import openai
import pytest

from shared.database.transactions import transaction
from shared.repos import turns
from tests.events import Reply
from tests.fakes.upstream import PIECES, SENTENCE, Upstream
from tests.functions.chat.chatting import (
    Stream,
    ask,
    ask_at_once,
    events_of,
    hear,
    heard_until,
    message_id_of,
    open_stream,
    pieces_of,
    watch,
)
from tests.functions.chat.outages import (
    BALANCE_FEN,
    HELD,
    KEY,
    MIDWAY,
    PRICE_FEN,
    Remote,
    assert_charged,
    history,
    remote_instance,
    turns_of,
    wait_until_ended,
    wait_until_open,
)
from tests.functions.conftest import Pair, SignUp
from tests.patience import HANG_SECONDS
from tests.people import Person, paying
from tests.web import WebFunction, eventually


@pytest.fixture
def anna(join: SignUp) -> Person:
    """A user with money and no free messages."""
    return paying(join(), BALANCE_FEN)


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as threads:
        yield threads


def repeated(request: Callable[[], Reply]) -> Reply:
    """Repeat a request until its answer is given; only retryable refusals come before."""

    def given() -> list[Reply]:
        reply = request()
        if reply.status == 200:
            return [reply]
        assert (reply.status, reply.headers["retry-after"]) in {(409, "3"), (503, "3")}
        return []

    return eventually(given)[0]


def end_without_database(remote: Remote, fake: Upstream, person: Person) -> str:
    """Take the database away from a held answer and let it end; return the answer's id."""
    turn = wait_until_open(person)
    assert fake.wait_until(lambda: bool(fake.requests))
    remote.proxy.refuse()
    fake.released.set()
    return turn.message_id


def test_a_whole_answer_is_pending_until_it_is_booked_and_then_given_with_its_charge(
    remote: Remote, pair: Pair, anna: Person, fake: Upstream, pool: ThreadPoolExecutor
) -> None:
    waiting = pool.submit(ask, remote.web, HELD, token=anna.token, headers=KEY)
    message_id = end_without_database(remote, fake, anna)
    first = waiting.result(HANG_SECONDS)
    transaction(turns.renew, [message_id], until_ms=1)  # the lease, which is not renewed now
    meanwhile = ask(pair[0], HELD, token=anna.token, headers=KEY)  # its database is there
    remote.proxy.resume()
    again = repeated(lambda: ask(remote.web, HELD, token=anna.token, headers=KEY))

    assert (first.status, first.error) == (503, "answer_pending")
    assert (first.json["message_id"], first.headers["retry-after"]) == (message_id, "3")
    assert (meanwhile.status, meanwhile.error) == (409, "in_progress")
    assert (meanwhile.json["message_id"], meanwhile.headers["retry-after"]) == (message_id, "3")
    assert (again.data["message_id"], again.data["reply"]) == (message_id, SENTENCE)
    assert (again.data["finish_reason"], again.data["charge"]["amount_fen"]) == ("stop", PRICE_FEN)
    assert again.data["quota"]["balance_fen"] == BALANCE_FEN - PRICE_FEN
    assert history(message_id) == [{"content": SENTENCE, "finish_reason": "stop"}]
    assert len(fake.requests) == 1
    assert_charged(anna, 1)


def test_a_stream_that_cannot_be_booked_ends_with_an_error_and_is_resumed_to_its_end(
    remote: Remote, anna: Person, fake: Upstream
) -> None:
    with open_stream(remote.web, MIDWAY, token=anna.token) as answer:
        pieces = pieces_of(answer)
        heard = heard_until(pieces, PIECES[0])
        message_id = end_without_database(remote, fake, anna)
        heard += b"".join(pieces)
    events = events_of(heard)
    away = watch_reply(remote.web, message_id, anna)
    remote.proxy.resume()
    position = f"{len(PIECES[0])}.0"
    with watch(remote.web, message_id, token=anna.token, last_event_id=position) as resumed:
        rest = events_of(resumed.read(), (len(PIECES[0]), 0))

    error = events[-1]
    assert (error.name, error.data["error"]) == ("error", "answer_pending")
    assert (error.data["retryable"], error.data["message_id"]) == (True, message_id)
    assert (away.status, away.error) == (503, "database_unavailable")
    assert "".join(one.data.get("text", "") for one in rest) == "".join(PIECES[1:])
    assert (rest[-1].name, rest[-1].data["finish_reason"]) == ("done", "stop")
    assert rest[-1].data["charge"]["amount_fen"] == PRICE_FEN
    assert history(message_id) == [{"content": SENTENCE, "finish_reason": "stop"}]
    assert_charged(anna, 1)


def watch_reply(web: WebFunction, message_id: str, person: Person) -> Reply:
    with watch(web, message_id, token=person.token) as answer:
        return Reply(answer.status_code, answer.headers, answer.read())


def completion(web: WebFunction, person: Person, *, stream: bool, headers: dict[str, str]) -> Reply:
    body = {"messages": [{"role": "user", "content": HELD}], "stream": stream}
    named = {"Authorization": f"Bearer {person.token}", **headers}
    answer = web.client.post("/v1/chat/completions", json=body, headers=named)
    return Reply(answer.status_code, answer.headers, answer.content)


@pytest.mark.parametrize(("headers", "should_retry"), [(KEY, "true"), ({}, "false")])
def test_the_door_of_openai_says_it_in_its_own_form_and_asks_for_no_second_answer(
    headers: dict[str, str],
    should_retry: str,
    remote: Remote,
    anna: Person,
    fake: Upstream,
    pool: ThreadPoolExecutor,
) -> None:
    waiting = pool.submit(completion, remote.web, anna, stream=False, headers=headers)
    message_id = end_without_database(remote, fake, anna)
    first = waiting.result(HANG_SECONDS)
    remote.proxy.resume()
    wait_until_ended(anna)

    told = first.json["error"]
    assert (first.status, first.headers["retry-after"]) == (503, "3")
    assert first.headers["x-should-retry"] == should_retry
    assert (told["code"], told["type"]) == ("answer_pending", "server_error")
    assert told["message_id"] == message_id
    if headers:
        again = completion(remote.web, anna, stream=False, headers=headers)
        assert again.json["choices"][0]["message"]["content"] == SENTENCE
    assert_charged(anna, 1)


def test_a_stream_of_openai_that_cannot_be_booked_ends_with_its_error(
    remote: Remote, anna: Person, fake: Upstream, pool: ThreadPoolExecutor
) -> None:
    def read_stream() -> str:
        sdk = openai.OpenAI(base_url=f"{remote.web.base}/v1", api_key=anna.token, max_retries=0)
        messages: list[Any] = [{"role": "user", "content": HELD}]
        made = sdk.chat.completions.create(
            model="test-model", messages=messages, stream=True, extra_headers=KEY
        )
        return "".join(chunk.choices[0].delta.content or "" for chunk in made)

    waiting = pool.submit(read_stream)
    end_without_database(remote, fake, anna)
    error = waiting.exception(HANG_SECONDS)
    remote.proxy.resume()
    wait_until_ended(anna)

    assert isinstance(error, openai.APIError)
    assert (error.code, error.type) == ("answer_pending", "server_error")
    assert read_stream() == SENTENCE
    assert len(fake.requests) == 1
    assert_charged(anna, 1)


def test_an_empty_answer_that_failed_is_given_its_failure_and_released(
    remote: Remote, anna: Person, fake: Upstream, pool: ThreadPoolExecutor
) -> None:
    waiting = pool.submit(ask, remote.web, "scenario: no-first-byte", token=anna.token)
    end_without_database(remote, fake, anna)
    reply = waiting.result(HANG_SECONDS)
    remote.proxy.resume()
    wait_until_ended(anna)

    assert (reply.status, reply.error) == (504, "upstream_timeout")
    assert_charged(anna, 0)


def test_an_instance_that_is_told_to_stop_books_what_it_keeps_if_the_database_comes_back(
    remote: Remote, anna: Person, fake: Upstream, pool: ThreadPoolExecutor
) -> None:
    waiting = pool.submit(ask, remote.web, HELD, token=anna.token)
    message_id = end_without_database(remote, fake, anna)
    assert waiting.result(HANG_SECONDS).error == "answer_pending"
    os.kill(remote.web.process.pid, signal.SIGTERM)
    remote.proxy.resume()
    remote.web.process.wait(HANG_SECONDS)

    assert history(message_id) == [{"content": SENTENCE, "finish_reason": "stop"}]
    assert_charged(anna, 1)
    assert "Traceback" not in remote.web.log


def test_what_is_kept_is_bounded_and_the_oldest_is_left_to_the_sweeper(
    pair: Pair, anna: Person, fake: Upstream, pool: ThreadPoolExecutor
) -> None:
    """Nine answers of half a million characters are more than are kept."""
    body = {"message": "scenario: held-and-long"}
    with remote_instance(pair, MAX_TOKENS="1000000", PROMPT_TOKENS="100000") as remote:
        waiting = pool.submit(ask_at_once, [remote.web], [body] * 9, token=anna.token)
        wait_until_open(anna, 9)
        assert fake.wait_until(lambda: len(fake.requests) == 9)
        remote.proxy.refuse()
        fake.released.set()
        replies = waiting.result(HANG_SECONDS)
        [line] = remote.web.logged('"pending_given_up"')
        remote.proxy.resume()
        eventually(lambda: sum(turn.state == "open" for turn in turns_of(anna)) == 1)

    assert [reply.error for reply in replies] == ["answer_pending"] * 9
    [left] = [turn for turn in turns_of(anna) if turn.state == "open"]
    assert json.loads(line)["request_id"] == left.message_id


def test_a_stored_stream_that_loses_the_database_ends_with_an_error_that_can_be_repeated(
    remote: Remote, pair: Pair, anna: Person, fake: Upstream
) -> None:
    with open_stream(pair[0], MIDWAY, token=anna.token) as answer:
        pieces = pieces_of(answer)
        heard = heard_until(pieces, PIECES[0])
        with watch(remote.web, message_id_of(heard), token=anna.token) as elsewhere:
            stored = pieces_of(elsewhere)
            read = heard_until(stored, PIECES[0])
            remote.proxy.refuse()
            events = events_of(read + b"".join(stored))
        fake.released.set()
        b"".join(pieces)

    assert (events[-1].name, events[-1].data["error"]) == ("error", "database_unavailable")
    assert events[-1].data["retryable"] is True


def test_a_turn_whose_opening_commit_lost_its_reply_is_gone_on_with(
    remote: Remote, anna: Person, fake: Upstream
) -> None:
    lost = remote.proxy.lose_reply(b"COMMIT", after=b"INSERT INTO turns")
    heard = hear(remote.web, token=anna.token, headers=KEY)

    assert lost.happened.is_set()
    assert (heard.status, heard.text, heard.last.name) == (200, SENTENCE, "done")
    assert [turn.state for turn in turns_of(anna)] == ["settled"]
    assert len(fake.requests) == 1
    assert_charged(anna, 1)


def test_an_attempt_whose_opening_did_not_reach_the_database_opens_it_again(
    remote: Remote, anna: Person
) -> None:
    """The reply to the statement before COMMIT is lost, and so the turn is not stored."""
    lost = remote.proxy.lose_reply(b"UPDATE wallets", after=b"INSERT INTO idempotency_keys")
    first = ask(remote.web, token=anna.token, headers=KEY)
    again = ask(remote.web, token=anna.token, headers=KEY)

    assert lost.happened.is_set()
    assert (first.status, first.error) == (503, "database_unavailable")
    assert (again.status, again.data["reply"]) == (200, SENTENCE)
    assert_charged(anna, 1)


def test_a_turn_in_doubt_is_released_when_the_database_is_back_after_the_clients_time(
    remote: Remote, anna: Person, fake: Upstream
) -> None:
    lost = remote.proxy.lose_reply(b"COMMIT", after=b"INSERT INTO turns", refuse=True)
    first = ask(remote.web, token=anna.token, headers=KEY)
    assert [turn.state for turn in turns_of(anna)] == ["open"]
    remote.proxy.resume()
    again = repeated(lambda: ask(remote.web, token=anna.token, headers=KEY))

    assert lost.happened.is_set()
    assert (first.status, first.error) == (503, "database_unavailable")
    assert again.data["reply"] == SENTENCE
    assert [turn.state for turn in turns_of(anna)] == ["released", "settled"]
    assert len(fake.requests) == 1
    assert_charged(anna, 1)


def test_a_settlement_whose_commit_lost_its_reply_charges_once(
    remote: Remote, anna: Person
) -> None:
    lost = remote.proxy.lose_reply(b"COMMIT", after=b"INSERT INTO ledger")
    heard: Stream = hear(remote.web, token=anna.token)

    assert lost.happened.is_set()
    assert (heard.text, heard.last.name) == (SENTENCE, "done")
    assert heard.last.data["charge"]["amount_fen"] == PRICE_FEN
    assert_charged(anna, 1)
