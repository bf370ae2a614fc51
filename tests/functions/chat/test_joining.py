"""A request that is repeated while its answer runs joins that answer, on any instance."""

import json
import select
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import openai
import pytest
from openai.types.chat import ChatCompletionChunk

from shared.database.transactions import read, transaction
from shared.repos import turns, wallets
from tests.events import Reply
from tests.fakes.upstream import PIECES, SENTENCE, Upstream
from tests.functions.chat.chatting import (
    ask,
    events_of,
    heard_until,
    message_id_of,
    open_stream,
    pieces_of,
    post,
    stop,
)
from tests.functions.chat.outages import HELD, KEY, MIDWAY, wait_until_open
from tests.functions.conftest import Pair, SignUp
from tests.ledger_checks import adds_up
from tests.patience import HANG_SECONDS
from tests.people import Person, paying
from tests.web import WebFunction, eventually, serving

CHARGED_ONCE = wallets.Wallet(9_900, 0, 2, 0)


@pytest.fixture
def anna(join: SignUp) -> Person:
    return paying(join(), 10_000)


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as pool:
        yield pool


@pytest.fixture
def narrow(pair: Pair) -> Iterator[WebFunction]:
    """An instance at which four requests of a user may wait for answers of others."""
    with serving("chat", **{**pair[0].variables, "MAX_STREAMS_PER_USER": "1"}) as web:
        yield web


@pytest.mark.parametrize("instance", [0, 1], ids=["same instance", "another"])
def test_a_repeated_stream_joins_from_the_start(
    instance: int, pair: Pair, anna: Person, fake: Upstream
) -> None:
    with open_stream(pair[0], MIDWAY, token=anna.token, headers=KEY) as first:
        heard = heard_until(pieces := pieces_of(first), PIECES[0])
        with open_stream(pair[instance], MIDWAY, token=anna.token, headers=KEY) as second:
            joined = heard_until(others := pieces_of(second), PIECES[0])
            fake.released.set()
            told = [events_of(heard + b"".join(pieces)), events_of(joined + b"".join(others))]

    texts = ["".join(one.data["text"] for one in events if "text" in one.data) for events in told]
    assert texts == [SENTENCE] * 2
    assert (told[0][0], told[0][-1]) == (told[1][0], told[1][-1])
    assert len(fake.requests) == 1
    assert read(adds_up, anna.id) == CHARGED_ONCE


def test_as_many_as_may_watch_wait_for_the_whole_answer_and_others_are_told_to_come_back(
    pair: Pair, narrow: WebFunction, anna: Person, fake: Upstream, pool: ThreadPoolExecutor
) -> None:
    first = pool.submit(ask, pair[0], HELD, token=anna.token, headers=KEY)
    message_id = wait_until_open(anna).message_id
    waiting = [pool.submit(ask_until_joined, narrow, anna) for _ in range(4)]

    [refused] = eventually(lambda: refused_at(narrow, anna))
    fake.released.set()
    answers = [one.result(HANG_SECONDS) for one in (first, *waiting)]

    assert refused.error == "in_progress"
    assert (refused.json["message_id"], refused.headers["retry-after"]) == (message_id, "3")
    assert [one.data for one in answers] == [answers[0].data] * 5
    assert answers[0].data["charge"]["amount_fen"] == 100
    assert ask(narrow, HELD, token=anna.token, headers=KEY).data == answers[0].data
    assert len(fake.requests) == 1
    assert read(adds_up, anna.id) == CHARGED_ONCE


def ask_until_joined(web: WebFunction, person: Person) -> Reply:
    """Repeat the held question while it is refused: `refused_at` has a seat for a moment."""
    while (reply := ask(web, HELD, token=person.token, headers=KEY)).status == 409:
        pass
    return reply


def refused_at(web: WebFunction, person: Person) -> list[Reply]:
    """Repeat the held question as a stream that is left at once; return a refusal, if any."""
    with open_stream(web, HELD, token=person.token, headers=KEY) as answer:
        if answer.status_code == 200:
            return []
        answer.read()
        return [Reply(answer.status_code, answer.headers, answer.content)]


def test_one_that_joined_and_leaves_makes_room_and_ends_nothing(
    pair: Pair, anna: Person, fake: Upstream
) -> None:
    given = {"ON_DISCONNECT": "cancel", "MAX_STREAMS_PER_USER": "1"}
    with (
        serving("chat", **{**pair[0].variables, **given}) as web,
        open_stream(web, MIDWAY, token=anna.token, headers=KEY) as first,
    ):
        heard = heard_until(pieces := pieces_of(first), PIECES[0])
        for _ in range(5):
            assert eventually(lambda: joins_and_leaves(web, anna))
        fake.released.set()
        last = events_of(heard + b"".join(pieces))[-1]

    assert (last.name, last.data["finish_reason"]) == ("done", "stop")
    assert read(adds_up, anna.id) == CHARGED_ONCE


def joins_and_leaves(web: WebFunction, person: Person) -> bool:
    with open_stream(web, MIDWAY, token=person.token, headers=KEY) as answer:
        return answer.status_code == 200 and bool(heard_until(pieces_of(answer), PIECES[0]))


def test_a_whole_request_that_joined_and_leaves_makes_room_and_ends_nothing(
    pair: Pair, anna: Person, fake: Upstream, pool: ThreadPoolExecutor
) -> None:
    given = {"ON_DISCONNECT": "cancel", "MAX_STREAMS_PER_USER": "1"}
    with serving("chat", **{**pair[0].variables, **given}) as web:
        first = pool.submit(ask, web, HELD, token=anna.token, headers=KEY)
        wait_until_open(anna)
        with ExitStack() as streams:
            take_seats(streams, web, anna, 3)
            with WholeRequest(web, anna) as whole:
                eventually(lambda: whole.waits() and refused_at(web, anna))
            assert eventually(lambda: not refused_at(web, anna))
        fake.released.set()

        assert first.result(HANG_SECONDS).data["finish_reason"] == "stop"


def take_seats(streams: ExitStack, web: WebFunction, person: Person, count: int) -> None:
    for _ in range(count):
        opening = open_stream(web, HELD, token=person.token, headers=KEY)
        assert streams.enter_context(opening).status_code == 200


class WholeRequest:
    """The held question, sent again by a client that hangs up at the end of the block."""

    def __init__(self, web: WebFunction, person: Person) -> None:
        body = json.dumps({"message": HELD}).encode()
        head = (
            f"POST /api/chat HTTP/1.1\r\nHost: localhost\r\n"
            f"Authorization: Bearer {person.token}\r\n"
            f"Idempotency-Key: {KEY['Idempotency-Key']}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        self._port, self._request = web.port, head.encode() + body

    def __enter__(self) -> "WholeRequest":
        self._connection = socket.create_connection(("127.0.0.1", self._port), HANG_SECONDS)
        self._connection.sendall(self._request)
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def waits(self) -> bool:
        """Send it again if it was refused: `refused_at` has a seat for a moment."""
        is_answered = bool(select.select([self._connection], [], [], 0)[0])
        if is_answered:
            self._connection.close()
            self.__enter__()
        return not is_answered


def test_who_waits_for_an_empty_answer_that_fails_is_given_its_failure(
    pair: Pair, narrow: WebFunction, anna: Person, fake: Upstream, pool: ThreadPoolExecutor
) -> None:
    with serving("chat", **pair[0].variables) as web, ExitStack() as streams:
        first = pool.submit(ask, web, HELD, token=anna.token, headers=KEY)
        wait_until_open(anna)
        take_seats(streams, narrow, anna, 3)
        waiting = pool.submit(ask_until_joined, narrow, anna)
        eventually(lambda: refused_at(narrow, anna))
        web.process.terminate()
        replies = [one.result(HANG_SECONDS) for one in (first, waiting)]

    assert [(one.status, one.error) for one in replies] == [(502, "upstream_error")] * 2
    assert read(adds_up, anna.id) == wallets.Wallet(10_000, 0, 1, 0)


def test_an_answer_whose_instance_is_gone_is_not_waited_for(
    pair: Pair, anna: Person, fake: Upstream
) -> None:
    """It is killed, and the time of its lease is over."""
    with serving("chat", **pair[0].variables) as web:
        with (
            open_stream(web, MIDWAY, token=anna.token, headers=KEY),
            open_stream(pair[0], MIDWAY, token=anna.token, headers=KEY) as second,
        ):
            heard = heard_until(pieces := pieces_of(second), PIECES[0])
            message_id = message_id_of(heard)
            web.process.kill()
            web.process.wait(HANG_SECONDS)
            transaction(turns.renew, [message_id], until_ms=1)
            last = events_of(heard + b"".join(pieces))[-1]
        refused = ask(pair[1], MIDWAY, token=anna.token, headers=KEY)

    assert (last.name, last.data["error"], last.data["retryable"]) == ("error", "in_progress", True)
    assert last.data["message_id"] == message_id
    assert (refused.status, refused.error) == (409, "in_progress")
    assert (refused.json["message_id"], refused.headers["retry-after"]) == (message_id, "3")


def test_one_that_joined_an_answer_stopped_before_its_first_word_is_told_so(
    pair: Pair, anna: Person, fake: Upstream
) -> None:
    with (
        open_stream(pair[0], HELD, token=anna.token, headers=KEY) as first,
        open_stream(pair[1], HELD, token=anna.token, headers=KEY) as second,
    ):
        message_id = message_id_of(next(pieces_of(first)))
        assert stop(pair[0], message_id, token=anna.token) == 200
        done = events_of(second.read())[-1]

    assert (done.name, done.data["finish_reason"]) == ("done", "stopped")
    assert done.data["charge"]["kind"] == "none"
    assert len(fake.requests) == 1


def test_a_completion_of_openai_is_joined(pair: Pair, anna: Person, fake: Upstream) -> None:
    def create(web: WebFunction) -> openai.Stream[ChatCompletionChunk]:
        client = openai.OpenAI(base_url=f"{web.base}/v1", api_key=anna.token, max_retries=0)
        return client.chat.completions.create(
            model="test-model",
            messages=[{"role": "user", "content": MIDWAY}],
            stream=True,
            extra_headers=KEY,
        )

    with create(pair[0]) as first, create(pair[1]) as second:
        heads = [next(first), next(second)]
        fake.released.set()
        texts = [
            "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
            for chunks in (first, second)
        ]

    assert heads[0] == heads[1]
    assert texts == [SENTENCE] * 2
    assert len(fake.requests) == 1


def test_a_joined_stream_of_openai_is_told_a_failure_before_its_first_word_by_its_status(
    pair: Pair, narrow: WebFunction, anna: Person, fake: Upstream, pool: ThreadPoolExecutor
) -> None:
    def create(web: WebFunction) -> int:
        body = {"messages": [{"role": "user", "content": HELD}], "stream": True}
        headers = {"Authorization": f"Bearer {anna.token}", **KEY}
        return web.client.post("/v1/chat/completions", json=body, headers=headers).status_code

    with serving("chat", **pair[0].variables) as web:
        first = pool.submit(create, web)
        wait_until_open(anna)
        joining = [pool.submit(create, narrow) for _ in range(5)]
        eventually(lambda: [one for one in joining if one.done()])  # so the other four wait
        web.process.terminate()
        statuses = [one.result(HANG_SECONDS) for one in (first, *joining)]

    assert sorted(statuses) == [409, 502, 502, 502, 502, 502]


@pytest.mark.parametrize(
    "repeated",
    [
        {"stream": True, "message": HELD, "type": "default"},
        {"type": "default", "message": HELD, "client_message_id": "m-1"},
        {"message": HELD, "type": "default", "stream": False},
    ],
)
def test_the_same_question_may_be_written_in_another_way(
    repeated: dict[str, object], pair: Pair, anna: Person, fake: Upstream
) -> None:
    fake.released.set()
    headers = {"Idempotency-Key": "m-1"}
    first = post(pair[0], {"message": HELD, "type": "default"}, token=anna.token, headers=headers)
    again = pair[1].client.post(
        "/api/chat",
        content=json.dumps(repeated, indent=2, ensure_ascii=True),
        headers={"Authorization": f"Bearer {anna.token}", **headers},
    )

    assert (first.status, again.status_code) == (200, 200)
    assert len(fake.requests) == 1
    assert read(adds_up, anna.id) == CHARGED_ONCE
