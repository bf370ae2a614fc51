"""Conversations in chat: ownership, the context sent to the model, and chat without one."""

import asyncio

import httpx
import jwt
import pytest

from shared.accounts import tokens
from shared.database.transactions import read, transaction
from shared.ids import new_id
from shared.llm.estimate import estimate_prompt_tokens
from tests.conftest import Configure
from tests.fakes.upstream import COMPLETION_TOKENS, PROMPT_TOKENS, SENTENCE, Upstream
from tests.functions.chat.chatting import PATH, ask, hear, post
from tests.functions.conftest import SignUp
from tests.patience import HANG_SECONDS
from tests.people import Person, grant
from tests.web import WebFunction, serving


@pytest.fixture
def anna(sign_up: SignUp) -> Person:
    return sign_up()


def rows(sql: str, **parameters: object) -> list[dict[str, object]]:
    return read(lambda connection: connection.find_all(dict, sql, **parameters))


def context(fake: Upstream) -> list[str]:
    """The last messages sent to the model, without the persona."""
    return [message["content"] for message in fake.requests[-1].json["messages"][1:]]


def test_the_title_of_a_conversation_is_what_can_be_seen_of_its_question(
    stored: WebFunction, anna: Person
) -> None:
    ask(stored, "\u202e\u200b" * 100 + "Hello 👩\u200d🚀" + " x" * 40, token=anna.token)

    [conversation] = rows("SELECT title FROM conversations WHERE user_id = :id", id=anna.id)
    assert conversation == {"title": ("Hello 👩\u200d🚀" + " x" * 40)[:39]}


def test_a_given_title_is_one_line_without_invisible_characters(
    stored: WebFunction, anna: Person
) -> None:
    unseen = ask(stored, token=anna.token, title=" \u200b\u202e ")
    given = ask(stored, token=anna.token, title=" My\u202e\n new\u200b  title ")

    assert (unseen.status, unseen.json["details"][0]["field"]) == (422, "body.title")
    assert given.status == 200
    assert rows("SELECT title FROM conversations WHERE user_id = :id", id=anna.id) == [
        {"title": "My new title"}
    ]


def test_a_first_question_opens_a_conversation_and_keeps_both_sides(
    stored: WebFunction, anna: Person, fake: Upstream
) -> None:
    data = ask(stored, "晚上好，今天过得怎么样？" * 5, token=anna.token).data

    [conversation] = rows(
        "SELECT id, title, created_at_ms, updated_at_ms FROM conversations WHERE user_id = :id",
        id=anna.id,
    )
    said = rows(
        """
        SELECT id, role, content, model, finish_reason, prompt_tokens, completion_tokens,
               created_at_ms
        FROM messages
        WHERE conversation_id = :id
        ORDER BY created_at_ms
        """,
        id=data["conversation_id"],
    )
    asked_at, answered_at = (message.pop("created_at_ms") for message in said)
    assert conversation == {
        "id": data["conversation_id"],
        "title": ("晚上好，今天过得怎么样？" * 5)[:40],
        "created_at_ms": asked_at,
        "updated_at_ms": answered_at,
    }
    assert said == [
        {
            "id": said[0]["id"],
            "role": "user",
            "content": "晚上好，今天过得怎么样？" * 5,
            "model": None,
            "finish_reason": None,
            "prompt_tokens": None,
            "completion_tokens": None,
        },
        {
            "id": data["message_id"],
            "role": "assistant",
            "content": SENTENCE,
            "model": "test-model",
            "finish_reason": "stop",
            "prompt_tokens": PROMPT_TOKENS,
            "completion_tokens": COMPLETION_TOKENS,
        },
    ]


def test_the_next_question_continues_it_streamed_or_not(
    stored: WebFunction, anna: Person, fake: Upstream
) -> None:
    first = hear(stored, "one", token=anna.token).events[0].data["conversation_id"]
    second = ask(stored, "two", token=anna.token, conversation_id=first).data["conversation_id"]
    ask(stored, "three", token=anna.token, conversation_id=first)

    assert second == first
    assert context(fake) == ["one", SENTENCE, "two", SENTENCE, "three"]


def test_an_answer_of_one_character_is_kept(
    stored: WebFunction, anna: Person, fake: Upstream
) -> None:
    question = "scenario: one-character"
    first = ask(stored, question, token=anna.token).data["conversation_id"]
    ask(stored, "go on", token=anna.token, conversation_id=first)

    assert context(fake) == [question, "好", "go on"]


def test_the_context_is_the_last_ten_turns_in_order_and_of_this_conversation_only(
    stored: WebFunction, anna: Person, fake: Upstream
) -> None:
    grant(anna, 10_000)
    conversation = ask(stored, "turn 0", token=anna.token).data["conversation_id"]
    for number in range(1, 12):
        ask(stored, f"turn {number}", token=anna.token, conversation_id=conversation)
        ask(stored, f"elsewhere {number}", token=anna.token)
    ask(stored, "now", token=anna.token, conversation_id=conversation)

    said = [text for number in range(2, 12) for text in (f"turn {number}", SENTENCE)]
    assert context(fake) == [*said, "now"]


def test_what_is_reserved_covers_what_is_sent_and_no_more(
    stored: WebFunction, anna: Person, fake: Upstream
) -> None:
    conversation = ask(stored, "a long story " * 50, token=anna.token).data["conversation_id"]
    with serving("chat", **{**stored.variables, "CONTEXT_TOKENS": "100"}) as web:
        ask(web, "one", token=anna.token, conversation_id=conversation)
        ask(web, "two", token=anna.token, conversation_id=conversation)

    assert context(fake) == ["one", SENTENCE, "two"]
    reserved = rows(
        "SELECT prompt_tokens FROM turns WHERE user_id = :id ORDER BY message_id", id=anna.id
    )
    assert [one["prompt_tokens"] for one in reserved] == [
        estimate_prompt_tokens(request.json["messages"]) for request in fake.requests
    ]


def test_the_form_with_messages_is_kept_too_and_only_what_is_new(
    stored: WebFunction, anna: Person
) -> None:
    said = [
        {"role": "user", "content": "before"},
        {"role": "assistant", "content": "told by the client"},
        {"role": "user", "content": "now"},
    ]
    data = post(stored, {"messages": said}, token=anna.token).data

    kept = rows(
        "SELECT content FROM messages WHERE conversation_id = :id ORDER BY created_at_ms",
        id=data["conversation_id"],
    )
    assert kept == [{"content": "now"}, {"content": SENTENCE}]


def test_a_client_that_sends_the_history_is_not_sent_it_twice(
    stored: WebFunction, anna: Person, fake: Upstream
) -> None:
    said = [
        {"role": "user", "content": "first"},
        {"role": "assistant", "content": SENTENCE},
        {"role": "user", "content": "now"},
    ]
    conversation = ask(stored, "first", token=anna.token).data["conversation_id"]

    post(stored, {"messages": said, "conversation_id": conversation}, token=anna.token)

    assert context(fake) == ["first", SENTENCE, "now"]


def test_the_conversation_of_somebody_else_is_not_there(
    stored: WebFunction, sign_up: SignUp, fake: Upstream
) -> None:
    anna, ben = sign_up(), sign_up()
    conversation = ask(stored, "a secret", token=anna.token).data["conversation_id"]
    fake.requests.clear()

    answers = [
        ask(stored, "hi", token=ben.token, conversation_id=given)
        for given in (conversation, new_id(), "x", "' OR 1=1 --")
    ]

    assert [(one.status, one.error) for one in answers] == [(404, "not_found")] * 4
    assert fake.requests == []


@pytest.mark.parametrize("spelling", ["{} ", "{}\t"])
def test_an_id_counts_only_as_it_was_given(
    spelling: str, stored: WebFunction, anna: Person
) -> None:
    conversation = ask(stored, token=anna.token).data["conversation_id"]

    again = ask(stored, token=anna.token, conversation_id=spelling.format(conversation))

    assert (again.status, again.error) == (404, "not_found")


def test_an_answer_that_fails_leaves_nothing_behind(stored: WebFunction, anna: Person) -> None:
    assert ask(stored, "scenario: status-500", token=anna.token).status == 502
    assert hear(stored, "scenario: status-500", token=anna.token).last.name == "error"

    assert rows("SELECT id FROM conversations WHERE user_id = :id", id=anna.id) == []


def test_half_an_answer_is_kept_as_such(stored: WebFunction, anna: Person) -> None:
    data = ask(stored, "scenario: error-later", token=anna.token).data

    assert rows(
        "SELECT content, finish_reason FROM messages WHERE id = :id", id=data["message_id"]
    ) == [{"content": data["reply"], "finish_reason": "error"}]


@pytest.mark.parametrize("said", ["emoji 🐼 and 漢字", "nul \0 inside", "' ; DROP TABLE messages"])
def test_any_text_is_kept_as_it_was_said(
    said: str, stored: WebFunction, anna: Person, fake: Upstream
) -> None:
    conversation = ask(stored, said, token=anna.token).data["conversation_id"]
    ask(stored, "again", token=anna.token, conversation_id=conversation)

    assert context(fake) == [said, SENTENCE, "again"]


def test_a_reason_longer_than_any_known_one_does_not_lose_the_answer(
    stored: WebFunction, anna: Person
) -> None:
    reply = ask(stored, "scenario: long-finish-reason", token=anna.token)

    assert (reply.status, reply.data["reply"]) == (200, SENTENCE)


def test_sixty_turns_at_once_in_one_conversation_are_all_kept(
    stored: WebFunction, anna: Person
) -> None:
    conversation = ask(stored, token=anna.token).data["conversation_id"]

    async def ask_all(base: str) -> list[int]:
        body = {"message": "at once", "conversation_id": conversation}
        headers = {"Authorization": f"Bearer {anna.token}"}
        async with httpx.AsyncClient(base_url=base, timeout=HANG_SECONDS) as client:
            asking = [client.post(PATH, json=body, headers=headers) for _ in range(60)]
            return [answer.status_code for answer in await asyncio.gather(*asking)]

    generous = {"MAX_STREAMS_PER_USER": "100", "DAILY_FREE_MESSAGES": "61"}
    with serving("chat", **stored.variables, **generous) as web:
        assert asyncio.run(ask_all(web.base)) == [200] * 60
    [count] = rows(
        "SELECT COUNT(*) AS number FROM messages WHERE conversation_id = :id", id=conversation
    )
    assert count == {"number": 122}


@pytest.mark.parametrize("token", ["nonsense", "a.b.c", "x" * 3000])
def test_a_token_that_is_none_is_refused_and_not_taken_for_a_guest(
    token: str, stored: WebFunction, fake: Upstream
) -> None:
    reply = ask(stored, token=token)

    assert (reply.status, reply.error) == (401, "invalid_token")
    assert reply.headers["www-authenticate"] == "Bearer"
    assert fake.requests == []


def test_other_ways_to_authenticate_are_refused(stored: WebFunction) -> None:
    reply = ask(stored, headers={"Authorization": "Basic YTpi"})

    assert (reply.status, reply.error) == (401, "invalid_token")


def test_a_token_signed_with_another_secret_is_refused(
    stored: WebFunction, anna: Person, configure: Configure
) -> None:
    configure(JWT_SECRET="another secret of thirty-two bytes and more")
    forged = tokens.issue_access(tokens.Claims(anna.id, "session", "user"))

    assert ask(stored, token=forged).error == "invalid_token"


def test_an_expired_token_says_so(stored: WebFunction, anna: Person) -> None:
    claims = jwt.decode(anna.token, options={"verify_signature": False})
    claims["exp"] = claims["iat"] - 1
    expired = jwt.encode(claims, stored.variables["JWT_SECRET"], "HS256")

    reply = ask(stored, token=expired)

    assert (reply.status, reply.error) == (401, "token_expired")


def test_a_disabled_account_and_one_that_is_gone_are_refused(
    stored: WebFunction, anna: Person, fake: Upstream
) -> None:
    stranger = tokens.issue_access(tokens.Claims(new_id(), "session", "user"))
    transaction(
        lambda connection: connection.execute(
            "UPDATE users SET disabled_at_ms = 1 WHERE id = :id", id=anna.id
        )
    )

    for token in (anna.token, stranger):
        reply = ask(stored, token=token)
        assert (reply.status, reply.error) == (401, "invalid_token")
    assert fake.requests == []
