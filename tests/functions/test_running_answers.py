"""A running answer is in the lists of conversations and of messages, on any device."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest

from shared.database.transactions import transaction
from shared.ids import new_id
from shared.repos import answer_chunks
from shared.repos.answer_chunks import AnswerChunk
from shared.repos.conversations import Message
from tests.fakes.upstream import PIECES, SENTENCE, Upstream
from tests.functions.chat.chatting import (
    ask,
    heard_until,
    message_id_of,
    open_stream,
    pieces_of,
    post,
    stop,
    watch,
)
from tests.functions.chat.outages import MIDWAY, wait_until_open
from tests.functions.conftest import SignUp
from tests.functions.test_conversations import (
    NOON_MS,
    add_conversations,
    add_messages,
    at_once,
    begin,
    delete,
    finish,
    get,
    pages,
    patch,
)
from tests.patience import HANG_SECONDS
from tests.people import Person, new_person
from tests.web import WebFunction, eventually


@pytest.fixture
def anna(database: str) -> Person:
    return new_person("anna")


@pytest.fixture
def ben(database: str) -> Person:
    return new_person("ben")


@pytest.fixture
def eva(sign_up: SignUp) -> Person:
    """A user of the chat function."""
    return sign_up()


def listed(person: Person) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = get(person).data["items"]
    return found


def messages(person: Person, conversation_id: str, **query: object) -> list[dict[str, Any]]:
    data = get(person, f"/{conversation_id}/messages", **query).data
    found: list[dict[str, Any]] = data["items"]
    return found


@contextmanager
def answering(web: WebFunction, person: Person) -> Iterator[tuple[str, Iterator[bytes]]]:
    """An answer that has begun, with its id and the rest of its stream."""
    with open_stream(web, MIDWAY, token=person.token) as answer:
        message_id = message_id_of(heard_until(pieces := pieces_of(answer), PIECES[0]))
        yield message_id, pieces


def test_a_conversation_is_there_while_its_first_answer_runs(
    stored: WebFunction, eva: Person, fake: Upstream
) -> None:
    with answering(stored, eva) as (message_id, rest):
        eventually(lambda: messages(eva, message_id)[1]["content"] == PIECES[0])
        [running], [question, answer] = listed(eva), messages(eva, message_id)
        fake.released.set()
        b"".join(rest)
    [ended], [kept_question, kept_answer] = listed(eva), messages(eva, message_id)

    assert (running["id"], running["title"]) == (message_id, MIDWAY)
    assert running["created_at"] == running["updated_at"] == question["created_at"]
    assert {**running, "updated_at": ended["updated_at"]} == ended
    assert (question["role"], question["content"]) == ("user", MIDWAY)
    assert kept_question == question
    assert answer == {
        "id": message_id,
        "role": "assistant",
        "content": PIECES[0],
        "created_at": answer["created_at"],
        "message_id": message_id,
        "state": "open",
        "model": "test-model",
        "finish_reason": None,
        "usage": {"prompt_tokens": None, "completion_tokens": None},
        "ai_generated": True,
    }
    assert (kept_answer["id"], kept_answer["state"]) == (message_id, "done")
    assert (kept_answer["content"], kept_answer["finish_reason"]) == (SENTENCE, "stop")


def test_a_running_refusal_is_text_as_it_is_afterwards(anna: Person) -> None:
    turn = begin(anna, "first", 1)
    transaction(answer_chunks.add, turn.message_id, 1, AnswerChunk("refusal", " I refuse."))

    assert messages(anna, "first")[-1]["content"] == "The answer. I refuse."


def test_a_device_that_finds_a_running_answer_may_follow_and_stop_it(
    stored: WebFunction, eva: Person
) -> None:
    with open_stream(stored, "scenario: endless", token=eva.token):
        conversation_id = eventually(lambda: listed(eva))[0]["id"]
        [found] = [one for one in messages(eva, conversation_id) if one.get("state") == "open"]
        with watch(stored, found["message_id"], token=eva.token) as following:
            assert stop(stored, found["message_id"], token=eva.token) == 200
            assert b'"finish_reason":"stopped"' in following.read()

    assert messages(eva, conversation_id)[1]["finish_reason"] == "stopped"


def test_a_later_answer_runs_after_the_stored_messages(
    stored: WebFunction, eva: Person, fake: Upstream
) -> None:
    conversation_id = ask(stored, "one", token=eva.token).data["conversation_id"]
    body = {"message": MIDWAY, "conversation_id": conversation_id}
    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(post, stored, body, token=eva.token)
        running = wait_until_open(eva).message_id
        told, newest = messages(eva, conversation_id), messages(eva, conversation_id, order="desc")
        fake.released.set()
        assert asking.result(HANG_SECONDS).status == 200

    assert [one["content"] for one in told[:3]] == ["one", SENTENCE, MIDWAY]
    assert [one.get("state") for one in told] == [None, "done", None, "open"]
    assert told[3]["message_id"] == running
    assert [one["id"] for one in newest] == [one["id"] for one in reversed(told)]
    assert [one["id"] for one in messages(eva, conversation_id)] == [one["id"] for one in told]
    assert [one["id"] for one in listed(eva)] == [conversation_id]


def test_a_question_waits_for_the_first_answer_of_its_conversation(
    stored: WebFunction, eva: Person, fake: Upstream
) -> None:
    with answering(stored, eva) as (message_id, _):
        body = {"message": "and then?", "conversation_id": message_id}
        early = post(stored, body, token=eva.token)
        assert stop(stored, message_id, token=eva.token) == 200

    assert (early.status, early.error) == (409, "in_progress")
    assert (early.json["message_id"], early.headers["retry-after"]) == (message_id, "3")
    assert post(stored, {**body, "conversation_id": new_id()}, token=eva.token).status == 404
    eventually(lambda: messages(eva, message_id)[1]["state"] == "done")
    fake.released.set()
    assert post(stored, body, token=eva.token).status == 200


def test_nothing_is_left_of_an_answer_that_was_empty(stored: WebFunction, eva: Person) -> None:
    assert ask(stored, "scenario: status-500", token=eva.token).status == 502

    assert listed(eva) == []


@pytest.mark.parametrize("limit", [1, 2, 3, 100])
def test_running_answers_are_in_their_place_on_every_page(limit: int, anna: Person) -> None:
    later = 2_000_000_000_000  # after now
    ids = add_conversations(anna, NOON_MS, NOON_MS, later)
    running = [begin(anna, f"{anna.id[-8:]}r{number}", number) for number in range(2)]
    begin(anna, ids[0], 3, message_id=new_id())
    new = sorted(running, key=lambda turn: (turn.created_at_ms, turn.message_id), reverse=True)

    found = [one["id"] for page in pages(anna, "", limit) for one in page]

    assert found == [ids[2], *[turn.message_id for turn in new], ids[1], ids[0]]


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("limit", [1, 2, 5, 100])
def test_messages_are_read_in_both_orders(limit: int, order: str, anna: Person) -> None:
    [one] = add_conversations(anna, NOON_MS)
    added = [
        Message(f"m{number}", one, "user", "Hello", NOON_MS + 1 + number // 2)
        for number in range(5)
    ]
    add_messages(one, *added)
    running = begin(anna, one, 1, message_id=new_id())
    path = f"/{one}/messages"

    found, cursor = list[dict[str, Any]](), None
    while True:
        query = {"limit": limit, "order": order, **({"cursor": cursor} if cursor else {})}
        data = get(anna, path, **query).data
        found += data["items"]
        cursor = data["next_cursor"]
        if cursor is None:
            break

    oldest_first = found if order == "asc" else found[::-1]
    ids = [said["id"] for said in oldest_first]
    assert ids[:6] == [f"{one}m", *[message.id for message in added]]
    assert ids[7:] == [running.message_id]
    assert oldest_first[6]["content"] == running.question


def test_there_is_no_other_order(anna: Person) -> None:
    [one] = add_conversations(anna, NOON_MS)

    reply = get(anna, f"/{one}/messages", order="newest")

    assert (reply.status, reply.json["details"][0]["field"]) == (422, "query.order")


def test_nobody_else_finds_a_running_answer(anna: Person, ben: Person) -> None:
    turn = begin(anna, "first", 1)

    assert listed(ben) == []
    for name in ("first", "first ", "FIRST"):
        assert get(ben, f"/{name}/messages").status == 404
        assert patch(ben, name, {"title": "Mine now"}).status == 404
    assert get(anna, "/first /messages").status == 404
    assert patch(anna, "first ", {"title": "x"}).status == 404
    assert listed(anna)[0]["title"] == turn.question


def test_a_deleted_conversation_is_not_found_while_its_first_answer_runs(anna: Person) -> None:
    begin(anna, "first", 1)

    assert delete(anna, "first").status == 200
    assert listed(anna) == []
    assert get(anna, "/first/messages").status == 404
    assert patch(anna, "first", {"title": "x"}).status == 404


def test_a_new_conversation_keeps_the_name_that_it_is_given_while_its_answer_runs(
    anna: Person,
) -> None:
    turn = begin(anna, "first", 1)

    renamed = patch(anna, "first", {"title": "Mangoes"})
    running = listed(anna)
    finish(turn)

    assert (renamed.status, renamed.data) == (200, running[0])
    assert [one["title"] for one in (*running, *listed(anna))] == ["Mangoes"] * 2


def test_a_name_that_meets_the_end_of_the_first_answer_is_kept(anna: Person) -> None:
    for number in range(25):
        first = begin(anna, f"c{number}", number)

        rename = partial(patch, anna, first.message_id, {"title": f"Name {number}"})
        reply, _ = at_once(rename, partial(finish, first))

        assert (reply.status, reply.data["title"]) == (200, f"Name {number}")
        assert listed(anna)[0]["title"] == f"Name {number}"


def test_a_first_question_may_name_its_conversation(
    stored: WebFunction, eva: Person, fake: Upstream
) -> None:
    reply = ask(stored, "one", token=eva.token, title="  Man\u200bgoes \n of the south ")
    conversation_id = reply.data["conversation_id"]

    assert listed(eva)[0]["title"] == "Mangoes of the south"
    for fields in (
        {"title": "Later", "conversation_id": conversation_id},
        {"title": "x" * 101},
        {"title": " "},
        {"title": "\u202e"},
    ):
        refused = ask(stored, "two", token=eva.token, **fields)
        assert (refused.status, refused.json["details"][0]["field"]) == (422, "body.title")
    guest = ask(stored, "three", title="Nobody's", headers={"X-Forwarded-For": "198.51.100.9"})
    assert (guest.status, guest.data["conversation_id"]) == (200, None)
    assert len(fake.requests) == 2


FAMILY = "👨‍👩‍👧"
FLAG = "🇨🇳"


@pytest.mark.parametrize(
    ("question", "title"),
    [
        ("你" * 41, "你" * 40),
        ("one\n\n two\tthree ", "one two three"),
        ("word " * 20, "word " * 7 + "word"),
        ("a" * 30 + " " + "b" * 30, "a" * 30),
        ("a" * 60, "a" * 40),
        ("你" * 38 + FAMILY + "好", "你" * 38),
        ("你" * 39 + FLAG + "好好", "你" * 39),
        ("你" * 37 + FLAG * 2, "你" * 37 + FLAG),
        ("a" * 39 + "e\u0301" + "b", "a" * 39),
        ("你" * 39 + "👍🏽好", "你" * 39),
        ("a" + "\u0301" * 60, "a" + "\u0301" * 39),
        ("\n", "…"),
    ],
)
def test_a_title_is_one_line_and_ends_with_a_whole_character(
    question: str, title: str, anna: Person
) -> None:
    turn = begin(anna, "first", 1)
    sql = "UPDATE turns SET question = :question WHERE message_id = :id"
    transaction(lambda db: db.execute(sql, question=question, id=turn.message_id))
    running = listed(anna)[0]["title"]
    finish(turn)

    assert (running, listed(anna)[0]["title"]) == (title, title)
