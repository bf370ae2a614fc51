"""Chat requests: valid and invalid fields, and the messages sent to the model."""

from pathlib import Path

import pytest

from functions.chat.prompt import personas
from functions.chat.prompt.context import Prompt, Room, fit_context
from functions.chat.prompt.message import PromptMessage
from shared.chat_rules import PERSONA_TITLES
from shared.llm.estimate import estimate_tokens
from shared.llm.pictures import picture_tokens
from tests.fakes.upstream import Upstream
from tests.functions.chat.chatting import ask, hear, post
from tests.web import WebFunction, serving

PROMPTS = Path(personas.__file__).parent / "texts"
SAID = [
    {"role": "user", "content": "我叫小明"},
    {"role": "assistant", "content": "你好，小明"},
    {"role": "user", "content": "我叫什么？"},
]


def prompt(persona: str, language: str) -> str:
    return (PROMPTS / f"{persona}.{language}.md").read_text("utf-8").strip()


def sent(fake: Upstream) -> list[dict[str, str]]:
    [request] = fake.requests
    messages: list[dict[str, str]] = request.json["messages"]
    return messages


def persona_sent(fake: Upstream) -> str:
    return sent(fake)[0]["content"]


def test_the_form_with_messages_sends_the_persona_and_all_of_them_in_order(
    chat: WebFunction, fake: Upstream
) -> None:
    reply = post(chat, {"type": "oracle", "messages": SAID, "locale": "zh"})

    assert reply.status == 200
    assert sent(fake) == [{"role": "system", "content": prompt("oracle", "zh")}, *SAID]


def test_the_form_with_one_message_sends_the_default_persona_and_it(
    chat: WebFunction, fake: Upstream
) -> None:
    reply = post(chat, {"message": "你好"})

    assert reply.status == 200
    assert sent(fake) == [
        {"role": "system", "content": prompt("default", "en")},
        {"role": "user", "content": "你好"},
    ]


# The greeting, and turns of two, four and six tokens.
GREETING = {"role": "assistant", "content": "欢迎"}
TURNS = [
    {"role": role, "content": word * size}
    for word, size in (("一", 1), ("二", 2), ("三", 3))
    for role in ("user", "assistant")
]
NOW = {"role": "user", "content": "现在呢"}


def as_message(said: dict[str, str]) -> PromptMessage:
    return PromptMessage(said["role"], said["content"])


@pytest.mark.parametrize(
    ("left_tokens", "kept"),
    [
        (14, [GREETING, *TURNS]),
        (13, TURNS),
        (12, TURNS),
        (11, TURNS[2:]),  # the answer of the first turn would fit
        (9, TURNS[4:]),
        (6, TURNS[4:]),
        (5, []),
        (0, []),
        (-3, []),
    ],
)
def test_of_what_was_said_before_the_oldest_turns_are_left_out(
    left_tokens: int, kept: list[dict[str, str]]
) -> None:
    persona = {"role": "system", "content": "好"}
    budget_tokens = 1 + 3 + left_tokens

    earlier, now = map(as_message, [GREETING, *TURNS]), as_message(NOW)
    fitted = fit_context(persona, [*earlier], now, Room(budget_tokens, picture_tokens))

    assert fitted == Prompt([persona, *kept, NOW])


def test_the_model_is_sent_no_more_than_the_context_may_take(
    chat: WebFunction, fake: Upstream
) -> None:
    persona = prompt("default", "zh")
    given = {"CONTEXT_TOKENS": str(estimate_tokens(persona) + 3 + 11)}
    with serving("chat", **{**chat.variables, **given}) as web:
        assert post(web, {"messages": [GREETING, *TURNS, NOW], "locale": "zh"}).status == 200

    assert sent(fake) == [{"role": "system", "content": persona}, *TURNS[2:], NOW]


def test_what_is_sent_does_not_depend_on_streaming(chat: WebFunction, fake: Upstream) -> None:
    assert ask(chat, type="oracle", locale="zh").status == 200
    assert hear(chat, type="oracle", locale="zh").status == 200

    whole, streamed = fake.requests
    assert whole.json == streamed.json


def test_there_is_a_prompt_for_every_persona_in_both_languages() -> None:
    found = {path.name for path in PROMPTS.iterdir()}

    assert set(PERSONA_TITLES) == {"default", "oracle"}
    assert found == {f"{name}.{lang}.md" for name in PERSONA_TITLES for lang in ("zh", "en")}


@pytest.mark.parametrize("persona", ["default", "oracle"])
@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_type_picks_the_persona_and_the_locale_its_language(
    persona: str, language: str, chat: WebFunction, fake: Upstream
) -> None:
    ask(chat, type=persona, locale=language)

    assert persona_sent(fake) == prompt(persona, language)


@pytest.mark.parametrize(
    ("locale", "query", "accepted", "language"),
    [
        ("zh", "?lang=en", "en", "zh"),
        ("en", "?lang=zh", "zh", "en"),
        ("zh-CN", "", "", "zh"),
        ("zh_Hans_CN", "", "", "zh"),
        ("EN-us", "", "zh", "en"),
        ("fr", "", "zh", "zh"),
        (None, "?lang=zh", "en", "zh"),
        ("", "?lang=zh", "en", "zh"),
        (None, "", "zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        (None, "", "en;q=0.5,zh;q=0.4", "en"),
        (None, "", "", "en"),
    ],
)
def test_the_locale_decides_then_the_query_then_the_header(
    locale: str | None,
    query: str,
    accepted: str,
    language: str,
    chat: WebFunction,
    fake: Upstream,
) -> None:
    body = {"message": "hi", "locale": locale}
    post(chat, body, query=query, headers={"Accept-Language": accepted})

    assert persona_sent(fake) == prompt("default", language)


@pytest.mark.parametrize("model", [None, "", "test-model"])
def test_the_configured_model_may_be_named_or_not(
    model: str | None, chat: WebFunction, fake: Upstream
) -> None:
    assert ask(chat, model=model).data["model"] == "test-model"
    assert fake.requests[0].json["model"] == "test-model"


HELLO = {"role": "user", "content": "hi"}


@pytest.mark.parametrize(
    ("body", "field", "problem"),
    [
        ({"message": "hi", "type": "wizard"}, "body.type", "must be one of default, oracle"),
        ({"message": "hi", "type": "../prompts"}, "body.type", "must be one of default, oracle"),
        ({"message": "hi", "type": None}, "body.type", "must be text"),
        ({"message": "hi", "model": "gpt-9"}, "body.model", "must be test-model"),
        ({}, "body", "either messages or message is required"),
        ({"message": "hi", "messages": [HELLO]}, "body", "either messages or message is required"),
        ({"messages": []}, "body.messages", None),
        ({"messages": [HELLO] * 101}, "body.messages", None),
        (
            {"messages": [HELLO, {"role": "assistant", "content": "hello"}]},
            "body.messages",
            "must end with a message of the user",
        ),
        (
            {"messages": [{"role": "tool", "content": "x"}]},
            "body.messages.0.role",
            "must be one of user, assistant",
        ),
        ({"messages": [{"role": "user"}]}, "body.messages.0.content", "is required"),
        ({"message": ""}, "body.message", "must not be empty"),
        (
            {"message": "x" * 32_001},
            "body.message",
            "must have at most 32000 characters",
        ),
        ({"message": 7}, "body.message", "must be text"),
        ({"message": "hi", "stream": "perhaps"}, "body.stream", None),
    ],
)
def test_a_question_that_is_none_is_refused_and_the_field_named(
    body: object, field: str, problem: str | None, chat: WebFunction, fake: Upstream
) -> None:
    reply = post(chat, body)

    assert (reply.status, reply.error) == (422, "invalid_request")
    [detail] = reply.json["details"]
    assert detail["field"] == field
    assert problem in (None, detail["problem"])
    assert fake.requests == []


@pytest.mark.parametrize("body", [[], "text", 7, None, True])
def test_a_body_that_is_no_object_is_refused(body: object, chat: WebFunction) -> None:
    reply = post(chat, body)

    assert (reply.status, reply.error) == (422, "invalid_request")


def test_the_longest_question_passes_whole(chat: WebFunction, fake: Upstream) -> None:
    text = "漢" * 32_000

    assert ask(chat, text).status == 200
    assert sent(fake)[-1] == {"role": "user", "content": text}
