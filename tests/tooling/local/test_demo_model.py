"""The demo model: a real process, called by the official SDK and the product's own client."""

import base64
import http.client
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai import OpenAI

from scripts.tooling.local.demo_model import words
from shared.llm.events import Delta, Finish, Usage
from shared.media.prompt_text import Document, prompt_text
from tests.media_files import png
from tests.patience import HANG_SECONDS
from tests.shared.llm.asking import ask, model

GREETING: Any = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "你好"}]
ANSWER = (
    "【演示模型】这不是真正的 AI 回答。你说的是：“你好”。设置 OPENAI_API_KEY 后即可使用真实模型。"
)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    command = [sys.executable, "-m", "scripts.tooling.local.demo_model", "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    line = process.stdout.readline()
    found = re.fullmatch(
        r"demo model \(NOT a real AI model\) at (http://127\.0\.0\.1:\d+/v1)\n", line
    )
    assert found, line
    yield found[1]
    process.terminate()
    process.wait(HANG_SECONDS)
    process.stdout.close()


@pytest.fixture(scope="module")
def sdk(url: str) -> Iterator[OpenAI]:
    with OpenAI(base_url=url, api_key="any", max_retries=0, timeout=HANG_SECONDS) as client:
        yield client


def test_a_whole_answer_says_that_it_is_a_demo_and_repeats_what_was_said(sdk: OpenAI) -> None:
    answer = sdk.chat.completions.create(model="any", messages=GREETING)

    assert answer.usage
    assert (
        answer.model,
        answer.choices[0].message.content,
        answer.choices[0].finish_reason,
        answer.usage.model_dump(include={"prompt_tokens", "completion_tokens", "total_tokens"}),
    ) == ("demo", ANSWER, "stop", {"prompt_tokens": 5, "completion_tokens": 41, "total_tokens": 46})


def test_an_english_message_is_answered_in_english(sdk: OpenAI) -> None:
    answer = sdk.chat.completions.create(
        model="any", messages=[{"role": "user", "content": [{"type": "text", "text": "Hi there"}]}]
    )

    assert answer.choices[0].message.content == (
        "[demo model] This is not an answer of a real AI model. You said: “Hi there”. "
        "Set OPENAI_API_KEY to talk to a real one."
    )


def test_a_stream_comes_word_by_word_and_ends_with_usage(sdk: OpenAI) -> None:
    stream = sdk.chat.completions.create(
        model="any", messages=GREETING, stream=True, stream_options={"include_usage": True}
    )

    chunks = list(stream)
    texts = [x.choices[0].delta.content or "" for x in chunks if x.choices]
    assert "".join(texts) == ANSWER
    assert sum(1 for text in texts if text) > 10
    assert chunks[-2].choices[0].finish_reason == "stop"
    assert chunks[-1].usage
    assert (chunks[-1].choices, chunks[-1].usage.total_tokens) == ([], 46)


def test_a_stream_has_no_usage_nobody_asked_for(sdk: OpenAI) -> None:
    stream = sdk.chat.completions.create(model="any", messages=GREETING, stream=True)

    assert [chunk.usage for chunk in stream if chunk.usage] == []


def test_our_own_client_understands_it(url: str) -> None:
    heard = ask(model(f"{url}/chat/completions"), GREETING)

    assert heard.error is None
    assert "".join(x.text for x in heard if isinstance(x, Delta)) == ANSWER
    assert heard[-2:] == [Usage(5, 41), Finish("stop")]


def picture(url: str) -> Any:
    return {"type": "image_url", "image_url": {"url": url}}


def answer(sdk: OpenAI, content: object, **options: Any) -> str:
    message: Any = {"role": "user", "content": content}
    whole = sdk.chat.completions.create(model="any", messages=[message], **options)
    return str(whole.choices[0].message.content)


def test_it_names_type_and_size_of_the_pictures_that_it_received(sdk: OpenAI) -> None:
    data = base64.b64encode(png(320, 240, bytes(3_000_000))).decode()
    pictures = [picture(f"data:image/png;base64,{data}"), picture("https://example.com/a.jpg")]

    assert "附有：一张图片（image/png, 320 x 240）；一张图片（链接）。" in answer(
        sdk, [{"type": "text", "text": "这是什么？"}, *pictures]
    )
    assert "It came with: a picture (image/png, 320 x 240); a picture (a link). " in answer(
        sdk, [{"type": "text", "text": "What is this?"}, *pictures]
    )


@pytest.mark.parametrize("data", ["", "AAAA", "A", "§"])
def test_a_picture_that_it_cannot_read_is_named_as_well(sdk: OpenAI, data: str) -> None:
    content = [picture(f"data:image/jpeg;base64,{data}")]

    assert "a picture (image/jpeg, ?)" in answer(sdk, content)


def test_it_quotes_the_question_and_names_the_documents_before_it(sdk: OpenAI) -> None:
    documents = [
        Document("化验单.md", "血红蛋白 135"),
        Document("b.txt", "a\nb", is_truncated=True),
    ]
    text = f"{prompt_text(documents, 10_000).text}\n\n正常吗？"

    assert answer(sdk, text) == (
        "【演示模型】这不是真正的 AI 回答。你说的是：“正常吗？”。"
        "附有：文档“化验单.md”（8 个字符）；文档“b.txt”（3 个字符）。"
        "设置 OPENAI_API_KEY 后即可使用真实模型。"
    )


def test_json_that_it_is_asked_for_has_no_content(sdk: OpenAI) -> None:
    schema = {
        "type": "object",
        "properties": {
            "name": {"type": ["string", "null"]},
            "inner": {"type": "object", "properties": {"count": {"type": "integer"}}},
            "items": {"type": "array"},
            "any": {},
        },
    }
    described = {"type": "json_schema", "json_schema": {"name": "a", "schema": schema}}

    assert json.loads(answer(sdk, "Hi", response_format=described)) == {
        "name": None,
        "inner": {"count": 0},
        "items": [],
        "any": None,
    }
    assert answer(sdk, "Hi", response_format={"type": "json_object"}) == "{}"


def test_it_lists_itself(sdk: OpenAI) -> None:
    assert [listed.id for listed in sdk.models.list()] == ["demo"]


def test_a_long_message_is_not_repeated_whole(sdk: OpenAI) -> None:
    answer = sdk.chat.completions.create(
        model="any", messages=[{"role": "user", "content": "很" * 100_000}]
    )

    assert f"“{'很' * 200}…”" in str(answer.choices[0].message.content)


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("POST", "/v1/chat/completions", b"{", 400, "malformed_json"),
        ("POST", "/v1/chat/completions", b"[" * 100_000, 400, "malformed_json"),
        ("POST", "/v1/chat/completions", b"[]", 400, "invalid_messages"),
        ("POST", "/v1/chat/completions", b'{"messages": [7]}', 400, "invalid_messages"),
        ("POST", "/v1/chat/completions", b" " * 17_000_000, 413, "too_large"),
        ("GET", "/v1/chat/completions", b"", 404, "not_found"),
        ("GET", "/", b"", 404, "not_found"),
    ],
)
def test_a_bad_request_is_refused_in_the_words_of_openai(
    url: str, method: str, path: str, body: bytes, status: int, code: str
) -> None:
    connection = http.client.HTTPConnection(url.split("/")[2], timeout=HANG_SECONDS)
    connection.request(method, path, body)
    response = connection.getresponse()

    document = json.loads(response.read())
    connection.close()
    assert (response.status, document["error"]["code"]) == (status, code)


def test_the_sdk_sees_a_refusal_as_such(sdk: OpenAI) -> None:
    with pytest.raises(openai.BadRequestError):
        sdk.chat.completions.create(model="any", messages=7)  # type: ignore[call-overload]


@given(st.text())
def test_no_character_is_lost_between_the_words(text: str) -> None:
    assert "".join(words(text)) == text
