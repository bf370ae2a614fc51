"""Streams: disconnected, resumed, read by several clients, and stopped on any instance."""

import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import Iterator, MutableMapping
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

import httpx
import pytest

from functions.admin.index import handler as administration
from functions.chat.index import handler as chat
from functions.conversations.index import handler as conversations
from shared.database import threads
from shared.database.transactions import read, transaction
from shared.repos import answer_chunks as stored_pieces
from shared.repos import wallets
from shared.repos.answer_chunks import AnswerChunk
from tests.conftest import Configure
from tests.events import invoke
from tests.fakes import upstream
from tests.fakes.upstream import PIECES, SENTENCE, THOUGHT, Upstream
from tests.functions.chat.chatting import (
    Position,
    StreamEvent,
    ask,
    events_of,
    heard_until,
    message_id_of,
    open_stream,
    pieces_of,
    post,
    stop,
    text_told,
    watch,
)
from tests.functions.conftest import Pair, SignUp
from tests.functions.wallets import abandoned
from tests.ledger_checks import adds_up
from tests.patience import HANG_SECONDS, promised
from tests.people import Person, admin_token, customer, paying, token_of
from tests.web import WebFunction, eventually, serving

ENDLESS = "scenario: endless"
LIST = "/api/conversations"


@pytest.fixture
def anna(join: SignUp) -> Person:
    """A user with money and no free messages."""
    return paying(join(), 1000)


def begin(web: WebFunction, message: str, person: Person) -> str:
    """Send a message, and disconnect when the id of the answer is known."""
    with open_stream(web, message, token=person.token) as answer:
        return message_id_of(next(pieces_of(answer)))


@contextmanager
def another_instance(pair: Pair, **given: str) -> Iterator[tuple[WebFunction, Upstream]]:
    """A second instance, with an upstream that only it uses."""
    with (
        upstream.running() as own,
        serving("chat", **{**pair[0].variables, "OPENAI_API_URL": own.url, **given}) as web,
    ):
        yield web, own


def told(
    web: WebFunction, message_id: str, person: Person, last: Position = (0, 0)
) -> list[StreamEvent]:
    """Read a stream from an event to its end."""
    with watch(web, message_id, token=person.token, last_event_id=written(last)) as answer:
        return events_of(answer.read(), last)


def written(place: Position) -> str:
    return ".".join(map(str, place))


def text_of(events: list[StreamEvent], name: str = "delta") -> str:
    return "".join(one.data["text"] for one in events if one.name == name)


def test_ten_disconnects_lose_nothing_repeat_nothing_and_cost_once(
    pair: Pair, anna: Person
) -> None:
    chance = random.Random(7)  # noqa: S311  # the same moments every time
    message_id = begin(pair[0], ENDLESS, anna)
    heard, last = "", (0, 0)
    for number in range(10):
        with watch(
            pair[number % 2], message_id, token=anna.token, last_event_id=written(last)
        ) as answer:
            for piece in some(pieces_of(answer), chance.randint(0, 2)):
                heard, last = grown(heard, last, piece)
    assert stop(pair[1], message_id, token=anna.token) == 200
    rest = told(pair[1], message_id, anna, last)

    assert heard + text_of(rest) == text_of(told(pair[0], message_id, anna))
    assert last > (0, 0)
    assert rest[-1].data["charge"]["amount_fen"] == 100
    assert read(adds_up, anna.id) == wallets.Wallet(900, 0, 2, 0)


def some(pieces: Iterator[bytes], count: int) -> Iterator[bytes]:
    """Yield the first event, with the position of the stream, and this many more."""
    for _ in range(count + 1):
        yield next(pieces)


def grown(heard: str, last: Position, piece: bytes) -> tuple[str, Position]:
    text, reasoning = piece.split(b"\n")[0].removeprefix(b"id: ").split(b".")
    place = int(text), int(reasoning)
    assert place >= last
    return heard + text_told(piece), place


@pytest.mark.parametrize("last", [(0, 3), (0, 7), (5, 7), (19, 7)])
def test_a_client_goes_on_in_the_text_and_in_the_reasoning_each_from_its_own_place(
    last: Position, pair: Pair, anna: Person
) -> None:
    with open_stream(pair[0], "scenario: reasoning", token=anna.token) as answer:
        message_id = message_id_of(next(pieces_of(answer)))
        here = told(pair[0], message_id, anna, last)
    elsewhere = told(pair[1], message_id, anna, last)

    text, reasoning = last
    for events in (here, elsewhere):
        assert text_of(events) == SENTENCE[text:]
        assert text_of(events, "reasoning") == THOUGHT[reasoning:]


def test_a_second_watcher_sees_the_same(pair: Pair, anna: Person) -> None:
    with open_stream(pair[0], "scenario: pings-before-the-answer", token=anna.token) as answer:
        pieces = pieces_of(answer)
        start = next(pieces)
        watched = told(pair[1], message_id_of(start), anna)
        first = events_of(start + b"".join(pieces))

    assert text_of(first) == text_of(watched) == SENTENCE
    assert (first[0], first[-1]) == (watched[0], watched[-1])


def test_one_person_cannot_hold_an_instance_by_watching(
    pair: Pair, anna: Person, join: SignUp
) -> None:
    """The limit is four clients for each concurrent answer of a user."""
    ben = join()
    with another_instance(pair, MAX_STREAMS_PER_USER="1") as (web, _):
        message_id = begin(web, ENDLESS, anna)
        of_ben = begin(web, ENDLESS, ben)
        with ExitStack() as stack:
            watching = [
                pieces_of(stack.enter_context(watch(web, message_id, token=anna.token)))
                for _ in range(4)
            ]
            assert [next(one)[:7] for one in watching] == [b"id: 0.0"] * 4
            assert watch_status(web, message_id, anna) == (429, "too_many_streams")
            assert watch_status(web, of_ben, ben) == (200, "")
        eventually(lambda: watch_status(web, message_id, anna) == (200, ""))


def test_of_400_who_watch_at_once_no_more_than_the_limit_are_admitted(
    pair: Pair, anna: Person
) -> None:
    """Four clients for each of three concurrent answers."""
    with another_instance(pair, MAX_STREAMS_PER_USER="3") as (web, _):
        message_id = begin(web, ENDLESS, anna)
        assert watch_at_once(web, message_id, anna, 400) == {200: 12, 429: 388}
        with ExitStack() as stack:  # all places become free again
            for _ in range(12):
                eventually(lambda: is_admitted(stack, web, message_id, anna))
            assert not is_admitted(stack, web, message_id, anna)


def watch_at_once(web: WebFunction, message_id: str, person: Person, times: int) -> Counter[int]:
    """Open this many streams, and close them when all have been answered."""

    async def watch_all() -> Counter[int]:
        headers = {"Authorization": f"Bearer {person.token}"}
        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(
            base_url=web.base, headers=headers, limits=limits, timeout=HANG_SECONDS
        ) as client:
            request = client.build_request("GET", f"/api/chat/streams/{message_id}")
            sending = [client.send(request, stream=True) for _ in range(times)]
            answers = await asyncio.gather(*sending)
            for answer in answers:
                await answer.aclose()
        return Counter(answer.status_code for answer in answers)

    return asyncio.run(watch_all())


@pytest.fixture
def fresh_threads() -> Iterator[None]:
    """No threads with connections to the databases of other tests."""
    threads._threads.cache_clear()
    yield
    threads._threads().shutdown()
    threads._threads.cache_clear()


@pytest.mark.usefixtures("database", "fresh_threads")
def test_a_stream_that_is_never_read_takes_up_no_place(configure: Configure) -> None:
    """The limit is four; each connection breaks when the head of the response is sent."""
    configure(MAX_STREAMS_PER_USER="1")
    user_id = customer()
    turn = abandoned(user_id, AnswerChunk("text", "so far"))
    path, token = f"/api/chat/streams/{turn.message_id}", token_of(user_id)

    statuses = asyncio.run(statuses_on_broken_connections(path, token, 9))

    assert statuses == [200] * 9


async def statuses_on_broken_connections(path: str, token: str, times: int) -> list[int]:
    """Call the function as its server does, with a connection that breaks at the first byte."""
    headers = [(b"authorization", f"Bearer {token}".encode())]
    scope = {"type": "http", "method": "GET", "path": path, "query_string": b"", "headers": headers}
    statuses = list[int]()

    async def send(message: MutableMapping[str, Any]) -> None:
        statuses.append(message["status"])
        raise ConnectionResetError

    for _ in range(times):
        received = asyncio.Queue[MutableMapping[str, Any]]()
        received.put_nowait({"type": "http.request", "body": b""})
        with suppress(ConnectionResetError):
            await chat(scope, received.get, send)
    return statuses


def is_admitted(stack: ExitStack, web: WebFunction, message_id: str, person: Person) -> bool:
    """Try to watch; an admitted stream stays open until the stack is closed."""
    answer = stack.enter_context(watch(web, message_id, token=person.token))
    return answer.status_code == 200


def test_only_the_head_of_a_stream_is_no_watching(pair: Pair, anna: Person) -> None:
    """HEAD ends while the answer still runs, and counts as no watcher."""
    with another_instance(pair, MAX_STREAMS_PER_USER="1") as (web, _):
        message_id = begin(web, ENDLESS, anna)
        path = f"/api/chat/streams/{message_id}"
        headers = {"Authorization": f"Bearer {anna.token}"}
        heads = [web.client.head(path, headers=headers) for _ in range(6)]
        assert [head.status_code for head in heads] == [200] * 6
        assert heads[0].headers["content-type"] == "text/event-stream; charset=utf-8"
        assert watch_status_of_running(web, message_id, anna) == 200


def watch_status_of_running(web: WebFunction, message_id: str, person: Person) -> int:
    with watch(web, message_id, token=person.token) as answer:
        next(pieces_of(answer))
        return answer.status_code


def test_disabling_an_account_ends_its_answers(pair: Pair, anna: Person, join: SignUp) -> None:
    ben, token, path = join(), admin_token(), f"/api/admin/users/{anna.id}"
    with (
        open_stream(pair[0], ENDLESS, token=anna.token) as answer,
        open_stream(pair[0], ENDLESS, token=ben.token) as another,
    ):
        pieces, of_ben = pieces_of(answer), pieces_of(another)
        heard = heard_until(pieces, "滴答滴答")
        body = {"disabled": True}
        assert invoke(administration, "PATCH", path, json_body=body, token=token).status == 200
        disabled_at = time.monotonic()
        events = events_of(heard + b"".join(pieces))
        assert time.monotonic() - disabled_at < promised(1)
        assert heard_until(of_ben, "滴答" * 3)

    done = events[-1]
    assert (done.name, done.data["finish_reason"]) == ("done", "stopped")
    assert done.data["charge"]["amount_fen"] == 100
    assert read(adds_up, anna.id) == wallets.Wallet(900, 0, 2, 0)


def watch_status(web: WebFunction, message_id: str, person: Person) -> tuple[int, str]:
    """The status and error name of an attempt to read a stream."""
    with watch(web, message_id, token=person.token) as answer:
        refused = answer.status_code != 200
        return answer.status_code, json.loads(answer.read())["error"] if refused else ""


def test_nobody_else_can_watch_or_stop_it(pair: Pair, anna: Person, join: SignUp) -> None:
    ben = join()
    message_id = ask(pair[0], token=anna.token).data["message_id"]

    with watch(pair[1], message_id, token=ben.token) as answer:
        assert (answer.status_code, "not_found" in answer.read().decode()) == (404, True)
    with watch(pair[1], message_id[:-1] + "_", token=anna.token) as answer:
        assert answer.status_code == 404
    assert stop(pair[1], message_id, token=ben.token) == 404
    assert stop(pair[1], message_id + " ", token=anna.token) == 404


def test_stopping_from_another_instance_takes_a_second_and_keeps_what_there_is(
    pair: Pair, anna: Person, fake: Upstream
) -> None:
    with open_stream(pair[0], ENDLESS, token=anna.token) as answer:
        pieces = pieces_of(answer)
        heard = heard_until(pieces, "滴答滴答")
        stopped_at = time.monotonic()
        assert stop(pair[1], message_id_of(heard), token=anna.token) == 200
        events = events_of(heard + b"".join(pieces))
        assert time.monotonic() - stopped_at < promised(1)

    done, text = events[-1], text_of(events)
    assert (done.name, done.data["finish_reason"]) == ("done", "stopped")
    assert done.data["charge"]["amount_fen"] == 100
    assert fake.wait_closed()
    assert kept(events[0].data["message_id"]) == [{"content": text, "finish_reason": "stopped"}]
    assert read(adds_up, anna.id) == wallets.Wallet(900, 0, 2, 0)


def test_an_answer_stopped_before_its_first_word_is_free(pair: Pair, anna: Person) -> None:
    message_id = begin(pair[0], "scenario: silence", anna)
    assert stop(pair[0], message_id, token=anna.token) == 200

    done = told(pair[1], message_id, anna)[-1]
    assert (done.name, done.data["finish_reason"], done.data["charge"]["kind"]) == (
        "done",
        "stopped",
        "none",
    )
    assert read(adds_up, anna.id) == wallets.Wallet(1000, 0, 1, 0)


def test_an_answer_nobody_waits_for_is_finished_and_kept(pair: Pair, anna: Person) -> None:
    message_id = begin(pair[0], "scenario: pings-before-the-answer", anna)

    eventually(lambda: kept(message_id))
    assert kept(message_id) == [{"content": SENTENCE, "finish_reason": "stop"}]
    assert read(adds_up, anna.id) == wallets.Wallet(900, 0, 2, 0)


@pytest.mark.parametrize(
    "given", [{"ON_DISCONNECT": "cancel"}, {"MAX_UNWATCHED_ANSWERS": "0"}], ids=["cancel", "full"]
)
def test_a_deployment_may_stop_what_nobody_waits_for(
    given: dict[str, str], pair: Pair, anna: Person
) -> None:
    with another_instance(pair, **given) as (web, fake):
        with open_stream(web, "scenario: stall", token=anna.token) as answer:
            heard = heard_until(pieces_of(answer), PIECES[0] + PIECES[1])
        assert fake.wait_closed()
        eventually(lambda: kept(message_id_of(heard)))

    assert kept(message_id_of(heard)) == [
        {"content": PIECES[0] + PIECES[1], "finish_reason": "stopped"}
    ]


def test_only_unwatched_answers_count_towards_their_limit(pair: Pair, anna: Person) -> None:
    with (
        another_instance(pair, MAX_UNWATCHED_ANSWERS="1") as (web, fake),
        open_stream(web, ENDLESS, token=anna.token) as watched,
    ):
        pieces = pieces_of(watched)
        next(pieces)
        leave_while_it_runs(web, anna)
        assert not fake.wait_closed(0.5)
        leave_while_it_runs(web, anna)
        assert fake.wait_closed()
        assert fake.abandoned == 1
        assert heard_until(pieces, "滴答" * 3)


def leave_while_it_runs(web: WebFunction, person: Person) -> None:
    """Disconnect after the first words: the upstream is being called."""
    with open_stream(web, ENDLESS, token=person.token) as answer:
        heard_until(pieces_of(answer), "滴答")


def test_how_an_answer_failed_is_told_again(pair: Pair, anna: Person) -> None:
    message_id = begin(pair[0], "scenario: stall", anna)

    last = told(pair[1], message_id, anna)[-1]
    assert (last.name, last.data["error"]) == ("error", "upstream_timeout")


def a_day_later(message_id: str) -> None:
    """Let maintenance remove the stored chunks."""
    transaction(stored_pieces.remove_from, message_id, 0)


def test_after_a_day_an_answer_is_told_from_its_conversation(pair: Pair, anna: Person) -> None:
    message_id = ask(pair[0], "scenario: reasoning", token=anna.token).data["message_id"]
    fresh = told(pair[1], message_id, anna)
    a_day_later(message_id)

    late = told(pair[1], message_id, anna)

    assert [fresh[0], *fresh[-1:]] == [late[0], *late[-1:]]
    assert [one.data for one in late[1:-1]] == [{"text": SENTENCE}]
    assert text_of(told(pair[0], message_id, anna, (3, 0))) == SENTENCE[3:]


def test_an_answer_that_is_kept_nowhere_is_not_found(pair: Pair, anna: Person) -> None:
    """The API of OpenAI stores no conversation."""
    body = {"messages": [{"role": "user", "content": "hi"}]}
    headers = {"Authorization": f"Bearer {anna.token}", "Idempotency-Key": "a key"}
    path = "/v1/chat/completions"
    first = pair[0].client.post(path, json=body, headers=headers).json()
    message_id = first["id"].removeprefix("chatcmpl-")
    a_day_later(message_id)

    with watch(pair[1], message_id, token=anna.token) as answer:
        assert (answer.status_code, "not_found" in answer.read().decode()) == (404, True)
    again = pair[1].client.post(path, json=body, headers=headers)
    assert (again.status_code, again.json()["error"]["code"]) == (404, "not_found")


@pytest.mark.parametrize("name", ["error-first", "error-after-reasoning"])
def test_how_an_answer_without_a_word_ended_is_told_at_any_time(
    name: str, pair: Pair, anna: Person
) -> None:
    message_id = begin(pair[0], f"scenario: {name}", anna)
    fresh = told(pair[1], message_id, anna)
    a_day_later(message_id)

    assert told(pair[1], message_id, anna) == [fresh[0], fresh[-1]]


@pytest.mark.parametrize("stream", [False, True])
def test_the_first_answer_to_a_repeated_question_is_gone_with_its_conversation(
    stream: bool, pair: Pair, anna: Person
) -> None:
    asked = {"message": "hi", "client_message_id": "m-1", "stream": stream}
    post(pair[0], asked, token=anna.token)
    for conversation in invoke(conversations, "GET", LIST, token=anna.token).data["items"]:
        path = f"{LIST}/{conversation['id']}"
        assert invoke(conversations, "DELETE", path, token=anna.token).status == 200

    again = post(pair[1], asked, token=anna.token)

    assert (again.status, again.error) == (404, "not_found")
    assert read(adds_up, anna.id) == wallets.Wallet(900, 0, 2, 0)


def kept(message_id: str) -> list[dict[str, object]]:
    sql = "SELECT content, finish_reason FROM messages WHERE id = :id"
    return read(lambda connection: connection.find_all(dict, sql, id=message_id))
