"""Conversations: list, read, rename and delete, for their owner only."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Barrier
from typing import Any

import pytest

from functions.conversations.index import handler
from shared.accounts import tokens
from shared.answers.conclusion import conclude
from shared.answers.ending import Ending
from shared.database import transactions
from shared.database.connection import Connection
from shared.database.transactions import read, transaction
from shared.ids import new_id
from shared.money import charging
from shared.money.charging import ReservationTerms
from shared.pricing import Price, Tokens
from shared.repos import answer_chunks, conversations, turns, wallets
from shared.repos.answer_chunks import AnswerChunk
from shared.repos.conversations import Conversation, Message
from shared.repos.turns import Turn
from shared.times import now_ms
from tests.events import Reply, invoke
from tests.fakes.upstream import COMPLETION_TOKENS, PROMPT_TOKENS, SENTENCE
from tests.functions.chat.chatting import ask as chat_with
from tests.functions.chat.chatting import hear
from tests.functions.conftest import SignUp
from tests.people import Person, new_person
from tests.web import WebFunction

PATH = "/api/conversations"
NOON_MS = 1_795_348_800_000  # 2026-11-22T12:00:00Z
NOON = "2026-11-22T12:00:00"
DAY = "2026-11-22"
ORIGIN = "https://app.example.com"


@pytest.fixture
def anna(database: str) -> Person:
    return new_person("anna")


@pytest.fixture
def ben(database: str) -> Person:
    return new_person("ben")


def get(person: Person, path: str = "", **query: object) -> Reply:
    asked = {name: str(value) for name, value in query.items()}
    return invoke(handler, "GET", PATH + path, token=person.token, query=asked)


def patch(person: Person, conversation_id: str, body: object) -> Reply:
    return invoke(handler, "PATCH", f"{PATH}/{conversation_id}", token=person.token, json_body=body)


def delete(person: Person, conversation_id: str) -> Reply:
    return invoke(handler, "DELETE", f"{PATH}/{conversation_id}", token=person.token)


def pages(person: Person, path: str, limit: int) -> Iterator[list[Any]]:
    data = get(person, path, limit=limit).data
    yield data["items"]
    while data["next_cursor"]:
        data = get(person, path, limit=limit, cursor=data["next_cursor"]).data
        yield data["items"]


def add_conversations(owner: Person, *at_ms: int) -> list[str]:
    """Add c0, c1, ..., created at noon and used at these times."""

    def add(db: Connection) -> None:
        for number, at in enumerate(at_ms):
            one = f"{owner.id[-8:]}c{number}"
            conversations.add(db, Conversation(one, owner.id, f"Title {number}", NOON_MS))
            conversations.touch(db, one, at_ms=at)
            conversations.append(db, Message(f"{one}m", one, "user", "Hello", at))

    transaction(add)
    return [f"{owner.id[-8:]}c{number}" for number in range(len(at_ms))]


def add_messages(conversation_id: str, *messages: Message) -> None:
    def add(db: Connection) -> None:
        for one in messages:
            conversations.append(db, one)

    transaction(add)


def count(sql: str, **parameters: object) -> int:
    [found] = read(lambda db: db.find_all(lambda n: int(n), sql, **parameters))
    return found


def test_the_conversation_last_spoken_in_comes_first(anna: Person, ben: Person) -> None:
    ids = add_conversations(anna, NOON_MS + 1, NOON_MS + 3, NOON_MS + 2)
    add_conversations(ben, NOON_MS + 4)

    reply = get(anna)

    def told(number: int, ms: int) -> dict[str, str]:
        return {
            "id": ids[number],
            "title": f"Title {number}",
            "created_at": f"{NOON}.000Z",
            "updated_at": f"{NOON}.00{ms}Z",
        }

    assert (reply.status, reply.data) == (
        200,
        {"items": [told(1, 3), told(2, 2), told(0, 1)], "next_cursor": None},
    )


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 100])
def test_pages_leave_out_nothing_and_repeat_nothing(limit: int, anna: Person, ben: Person) -> None:
    """Also if several conversations were used in the same millisecond."""
    ids = add_conversations(anna, *[NOON_MS + number // 3 for number in range(7)])
    add_conversations(ben, *[NOON_MS + 1] * 3)

    found = list(pages(anna, "", limit))

    assert [one["id"] for page in found for one in page] == [*ids[6:], *ids[5:2:-1], *ids[2::-1]]
    assert [len(page) for page in found[:-1]] == [limit] * (len(found) - 1)
    assert found[-1]


def test_twenty_are_told_where_nobody_says_how_many(anna: Person) -> None:
    add_conversations(anna, *range(NOON_MS, NOON_MS + 21))

    assert len(get(anna).data["items"]) == 20
    assert len(list(pages(anna, "", 20))) == 2


def test_somebody_new_has_no_conversations(anna: Person) -> None:
    assert get(anna).data == {"items": [], "next_cursor": None}


def test_messages_are_told_oldest_first(anna: Person) -> None:
    [one] = add_conversations(anna, NOON_MS)
    answer = Message(
        "m1", one, "assistant", "Hi! 😀", NOON_MS + 1, "demo", "stop", prompt_tokens=5,
        completion_tokens=2,
    )  # fmt: skip
    add_messages(one, answer)

    assert get(anna, f"/{one}/messages").data == {
        "items": [
            {
                "id": f"{one}m",
                "role": "user",
                "content": "Hello",
                "created_at": f"{NOON}.000Z",
                "media": [],
            },
            {
                "id": "m1",
                "role": "assistant",
                "content": "Hi! 😀",
                "created_at": f"{NOON}.001Z",
                "model": "demo",
                "finish_reason": "stop",
                "usage": {"prompt_tokens": 5, "completion_tokens": 2},
                "ai_generated": True,
                "message_id": "m1",
                "state": "done",
            },
        ],
        "next_cursor": None,
    }


@pytest.mark.parametrize("limit", [1, 2, 5, 100])
def test_messages_come_in_pages_too(limit: int, anna: Person) -> None:
    one, other = add_conversations(anna, NOON_MS, NOON_MS)
    added = [
        Message(f"m{number}", one, "user", "Hello", NOON_MS + 1 + number // 2)
        for number in range(7)
    ]
    add_messages(one, *added)
    add_messages(other, Message("m8", other, "user", "elsewhere", NOON_MS + 2))

    found = [said["id"] for page in pages(anna, f"/{one}/messages", limit)
             for said in page]  # fmt: skip

    assert found == [f"{one}m", *[message.id for message in added]]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"limit": 0}, "query.limit"),
        ({"limit": 101}, "query.limit"),
        ({"limit": "many"}, "query.limit"),
        ({"cursor": "x"}, "query.cursor"),
        ({"cursor": "中文"}, "query.cursor"),
        ({"cursor": "eA"}, "query.cursor"),
        ({"cursor": "MSAnIE9SIDE9MQ"}, "query.cursor"),  # 1 ' OR 1=1
        ({"cursor": "A" * 5000}, "query.cursor"),
    ],
)
def test_a_page_that_cannot_be_is_refused(
    query: dict[str, object], field: str, anna: Person
) -> None:
    [one] = add_conversations(anna, NOON_MS)
    for path in ("", f"/{one}/messages"):
        reply = get(anna, path, **query)
        assert (reply.status, reply.error) == (422, "invalid_request")
        assert [detail["field"] for detail in reply.json["details"]] == [field]


@pytest.mark.parametrize(
    ("title", "kept"),
    [
        ("Mangoes", "Mangoes"),
        ("  旅行 🐼 ", "旅行 🐼"),
        ("x" * 100, "x" * 100),
        ("\u202eMan\u3164go\u200des\ufeff ", "Mangoes"),
        ("می\u200cخواهم ❤️ 👩🏽\u200d⚕️", "می\u200cخواهم ❤️ 👩🏽\u200d⚕️"),
    ],
)
def test_a_conversation_can_be_renamed(title: str, kept: str, anna: Person) -> None:
    one, other = add_conversations(anna, NOON_MS + 1, NOON_MS)

    renamed = patch(anna, one, {"title": title})

    assert renamed.data == {
        "id": one,
        "title": kept,
        "created_at": f"{NOON}.000Z",
        "updated_at": f"{NOON}.001Z",
    }
    assert [told["title"] for told in get(anna).data["items"]] == [kept, "Title 1"]
    assert other


@pytest.mark.parametrize("title", ["", "   ", "\u200b\u3164", "x" * 101, None, 7])
def test_a_title_has_1_to_100_characters(title: object, anna: Person) -> None:
    [one] = add_conversations(anna, NOON_MS)

    reply = patch(anna, one, {"title": title})

    assert (reply.status, reply.json["details"][0]["field"]) == (422, "body.title")
    assert get(anna).data["items"][0]["title"] == "Title 0"


def test_a_conversation_of_somebody_else_is_not_there(anna: Person, ben: Person) -> None:
    [one] = add_conversations(anna, NOON_MS)

    for name in (one, f"{one} ", one.lower(), new_id(), "' OR 1=1 --", "%"):
        for reply in (
            get(ben, f"/{name}/messages"),
            patch(ben, name, {"title": "Mine now"}),
            delete(ben, name),
        ):
            assert (reply.status, reply.error) == (404, "not_found")
    assert get(ben).data["items"] == []
    assert get(anna).data["items"][0]["title"] == "Title 0"
    assert len(get(anna, f"/{one}/messages").data["items"]) == 1


def test_an_id_counts_only_as_it_was_given(anna: Person) -> None:
    [one] = add_conversations(anna, NOON_MS)

    assert get(anna, f"/{one} /messages").status == 404
    assert delete(anna, f"{one} ").status == 404
    assert get(anna, f"/{one}/messages").status == 200


def a_turn(owner: Person, conversation_id: str, number: int, message_id: str | None) -> Turn:
    """A turn: the first of its conversation, unless it has another id."""
    return Turn(
        message_id=message_id or conversation_id,
        subject=owner.id,
        user_id=owner.id,
        conversation_id=conversation_id,
        question=f"question {number}",
        model="demo",
        payment="free",
        day=DAY,
        daily_limit=0,
        reserved_fen=0,
        price="",
        prompt_tokens=5,
        lease_until_ms=0,
        created_at_ms=now_ms(),
    )


PRICE = Price("demo", 0, "message", message_fen=100)
TERMS = ReservationTerms(3, lambda: PRICE, 1000)
ENDING = Ending("The answer.", "stop", Tokens(5, 2))


def begin(owner: Person, conversation_id: str, number: int, message_id: str | None = None) -> Turn:
    """Begin a paid turn, with the first chunk of its answer."""
    transaction(charging.prepare, owner.id, owner.id, DAY)
    transaction(wallets.book, owner.id, "grant", 100, key=f"grant:{new_id()}")
    asked = a_turn(owner, conversation_id, number, message_id)
    turn = transaction(charging.reserve, asked, TERMS)
    transaction(answer_chunks.add, turn.message_id, 0, AnswerChunk("text", "The answer."))
    return turn


def finish(turn: Turn) -> None:
    assert transaction(conclude, turn, ENDING)


def test_what_was_said_is_erased_and_what_was_charged_for_stays(anna: Person, ben: Person) -> None:
    gone, kept = begin(anna, "gone", 1), begin(anna, "kept", 2)
    foreign = begin(ben, "bens", 3)
    for turn in (gone, kept, foreign):
        finish(turn)

    reply = delete(anna, "gone")

    assert (reply.status, reply.data) == (200, {"id": "gone"})
    assert [one["id"] for one in get(anna).data["items"]] == ["kept"]
    assert len(get(anna, "/kept/messages").data["items"]) == 2
    assert get(anna, "/gone/messages").status == delete(anna, "gone").status == 404
    for table in ("conversations", "messages"):
        name = "id" if table == "conversations" else "conversation_id"
        assert count(f"SELECT COUNT(*) AS n FROM {table} WHERE {name} = 'gone'") == 0  # noqa: S608  # ours
    for turn, stored in ((gone, 0), (kept, 1), (foreign, 1)):
        row = read(turns.get, turn.message_id)
        assert (row.question, row.price, row.state) == (None, "", "settled")
        assert json.loads(row.outcome or "")["charge"]["amount_fen"] == 100
        assert len(read(answer_chunks.list_from, turn.message_id, 0)) == stored
    assert count("SELECT COUNT(*) AS n FROM ledger WHERE kind = 'charge'") == 3


def test_an_answer_still_being_given_does_not_bring_a_deleted_conversation_back(
    anna: Person,
) -> None:
    finish(begin(anna, "gone", 1))
    late = begin(anna, "gone", 2, message_id=new_id())

    assert delete(anna, "gone").status == 200
    finish(late)

    assert get(anna).data["items"] == []
    assert count("SELECT COUNT(*) AS n FROM messages") == 0
    assert count("SELECT COUNT(*) AS n FROM ledger WHERE kind = 'charge'") == 2


def test_an_answer_still_being_given_in_another_conversation_is_kept_with_its_question(
    anna: Person,
) -> None:
    finish(begin(anna, "gone", 1))
    late = begin(anna, "kept", 2)

    assert delete(anna, "gone").status == 200
    finish(late)

    kept = get(anna, "/kept/messages").data["items"]
    assert [one["content"] for one in kept] == ["question 2", "The answer."]


def test_a_conversation_can_be_deleted_while_its_first_answer_is_given(anna: Person) -> None:
    first = begin(anna, "gone", 1)

    replies = [delete(anna, "gone") for _ in range(2)]
    finish(first)

    assert [one.status for one in replies] == [200, 404]
    assert nothing_is_left_of("gone")
    assert count("SELECT COUNT(*) AS n FROM ledger WHERE kind = 'charge'") == 1


def nothing_is_left_of(conversation_id: str) -> bool:
    """Whether everything is deleted, also the question in the turn, which itself is kept."""
    sql = """
        SELECT COUNT(*) AS n
        FROM turns AS t
        LEFT JOIN conversations AS c ON c.id = t.conversation_id
        LEFT JOIN messages AS m ON m.conversation_id = t.conversation_id
        WHERE t.conversation_id = :id
            AND (t.question IS NOT NULL OR c.id IS NOT NULL OR m.id IS NOT NULL)
    """
    return count(sql, id=conversation_id) == 0


def at_once(*works: Callable[[], object]) -> list[Any]:
    """Run all calls at once, each in a thread with its own connection."""
    ready = Barrier(len(works))

    def started(work: Callable[[], object]) -> object:
        try:
            ready.wait()
            return work()
        finally:
            transactions.disconnect()

    with ThreadPoolExecutor(len(works)) as pool:
        return list(pool.map(started, works))


def test_a_deletion_that_meets_the_first_answer_is_the_last_word(anna: Person) -> None:
    for number in range(25):
        first = begin(anna, f"c{number}", number)

        reply, _ = at_once(partial(delete, anna, first.message_id), partial(finish, first))

        assert reply.status == 200
        assert nothing_is_left_of(first.message_id)
    assert count("SELECT COUNT(*) AS n FROM ledger WHERE kind = 'charge'") == 25


def test_a_question_that_meets_the_deletion_of_its_conversation_does_not_bring_it_back(
    anna: Person,
) -> None:
    for number in range(25):
        conversation_id = f"c{number}"
        finish(begin(anna, conversation_id, number))

        def ask_again(conversation_id: str = conversation_id) -> None:
            finish(begin(anna, conversation_id, 2, message_id=new_id()))

        reply, _ = at_once(partial(delete, anna, conversation_id), ask_again)

        assert reply.status == 200
        assert nothing_is_left_of(conversation_id)
    assert count("SELECT COUNT(*) AS n FROM ledger WHERE kind = 'charge'") == 50


@pytest.mark.usefixtures("database")
def test_strangers_and_disabled_accounts_are_refused(anna: Person) -> None:
    [one] = add_conversations(anna, NOON_MS)
    gone = Person(new_id(), tokens.issue_access(tokens.Claims(new_id(), "session", "user")))

    def refusals(person: Person) -> set[tuple[int, str]]:
        replies = (
            get(person),
            get(person, f"/{one}/messages"),
            patch(person, one, {"title": "x"}),
            delete(person, one),
        )
        return {(reply.status, reply.error) for reply in replies}

    assert refusals(Person("", "")) == {(401, "unauthorized")}
    assert refusals(Person("", "nonsense")) == {(401, "invalid_token")}
    assert refusals(gone) == {(401, "invalid_token")}
    transaction(lambda db: db.execute("UPDATE users SET disabled_at_ms = 1"))
    assert refusals(anna) == {(401, "invalid_token")}


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("POST", "", "GET, HEAD, OPTIONS"),
        ("PUT", "/x", "DELETE, OPTIONS, PATCH"),
        ("DELETE", "/x/messages", "GET, HEAD, OPTIONS"),
    ],
)
def test_other_methods_are_refused_with_the_ones_there_are(
    method: str, path: str, allowed: str
) -> None:
    reply = invoke(handler, method, PATH + path)

    assert (reply.status, reply.headers["Allow"]) == (405, allowed)


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize(
    "path", ["/", "//messages", "/x/", "/x/messages/", "/x/y", "/x/y/messages"]
)
def test_other_paths_are_not_found(path: str) -> None:
    reply = invoke(handler, "GET", PATH + path)

    assert (reply.status, reply.error) == (404, "not_found")


def test_a_browser_may_rename_and_delete(configure: Any) -> None:
    configure(ALLOWED_ORIGINS=ORIGIN)
    asked = {"Origin": ORIGIN, "Access-Control-Request-Method": "PATCH"}

    reply = invoke(handler, "OPTIONS", f"{PATH}/x", headers=asked)

    assert reply.status == 204
    assert reply.headers["Access-Control-Allow-Methods"] == "DELETE, OPTIONS, PATCH"


def test_what_the_chat_function_kept_is_read_here(stored: WebFunction, sign_up: SignUp) -> None:
    anna = sign_up()
    first = chat_with(stored, "one", token=anna.token).data
    hear(stored, "two", token=anna.token, conversation_id=first["conversation_id"])

    [conversation] = get(anna).data["items"]
    messages = get(anna, f"/{conversation['id']}/messages").data["items"]

    assert (conversation["id"], conversation["title"]) == (first["conversation_id"], "one")
    assert [said["content"] for said in messages] == ["one", SENTENCE, "two", SENTENCE]
    assert messages[1]["id"] == first["message_id"]
    assert messages[1]["usage"] == {
        "prompt_tokens": PROMPT_TOKENS,
        "completion_tokens": COMPLETION_TOKENS,
    }
