"""Requests to upstreams, and the connections that carry them."""

import asyncio
import time
from typing import Any

import pytest

from shared.llm import client, transport
from shared.llm.events import Event
from shared.llm.vendors import request_body
from tests.fakes import upstream
from tests.fakes.upstream import Upstream
from tests.shared.llm.asking import KEY, ask, model, scenario

HELLO: list[dict[str, Any]] = [{"role": "user", "content": "你好"}]
DASHSCOPE = "https://dashscope.aliyuncs.com/compatible-mode/v1/chat/completions"


def test_the_upstream_gets_one_streaming_request_with_the_key_and_the_conversation(
    fake: Upstream,
) -> None:
    ask(model(fake.url), HELLO)

    [request] = fake.requests
    assert request.path == "/v1/chat/completions"
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.headers["accept-encoding"] == "identity"
    assert request.json == {
        "model": "test-model",
        "messages": HELLO,
        "stream": True,
        "stream_options": {"include_usage": True},
    }


def test_the_caller_may_name_another_model(fake: Upstream) -> None:
    ask(model(fake.url), HELLO, name="another")

    assert fake.requests[0].json["model"] == "another"


def test_text_no_encoding_can_carry_is_replaced_rather_than_fatal(fake: Upstream) -> None:
    heard = ask(model(fake.url), [{"role": "user", "content": "half \ud83d"}])

    assert heard.error is None
    assert fake.requests[0].json["messages"] == [{"role": "user", "content": "half ?"}]


@pytest.mark.parametrize(
    ("url", "name", "thinking", "additions"),
    [
        (DASHSCOPE, "qwen-plus", False, {"enable_thinking": False}),
        (DASHSCOPE, "qwen-plus", True, {}),
        (DASHSCOPE, "qwq-plus", False, {}),
        (DASHSCOPE, "qwen3-235b-a22b-thinking-2507", False, {}),
        (
            "https://dashscope-intl.aliyuncs.com/compatible-mode/v1/chat/completions",
            "qwen-plus",
            False,
            {"enable_thinking": False},
        ),
        (
            "https://ws.cn-beijing.maas.aliyuncs.com/compatible-mode/v1/chat/completions",
            "qwen-plus",
            False,
            {"enable_thinking": False},
        ),
        ("https://ark.cn-beijing.volces.com/api/v3/chat/completions", "ep-1", False, {}),
        ("https://example.com/dashscope.aliyuncs.com/chat/completions", "m", False, {}),
    ],
)
def test_thinking_nobody_sees_is_switched_off_where_there_is_a_switch(
    url: str, name: str, thinking: bool, additions: dict[str, object]
) -> None:
    body = request_body(model(url), HELLO, name, thinking=thinking)

    assert body == {
        "model": name,
        "messages": HELLO,
        "stream": True,
        "stream_options": {"include_usage": True},
        **additions,
    }


@pytest.mark.parametrize(
    ("url", "name"),
    [
        (DASHSCOPE, "max_tokens"),
        ("https://api.openai.com/v1/chat/completions", "max_completion_tokens"),
        ("https://mine.openai.azure.com/openai/v1/chat/completions", "max_completion_tokens"),
        ("https://api.x.ai/v1/chat/completions", "max_completion_tokens"),
        ("https://api.groq.com/openai/v1/chat/completions", "max_completion_tokens"),
        ("https://api.openai.com.example.com/v1/chat/completions", "max_tokens"),
    ],
)
def test_options_are_sent_under_the_name_the_vendor_knows(url: str, name: str) -> None:
    options = {"max_tokens": 7, "temperature": 0.5, "stream": False, "messages": []}

    body = request_body(model(url), HELLO, "m", thinking=True, options=options)

    assert body == {
        "model": "m",
        "messages": HELLO,
        "stream": True,
        "stream_options": {"include_usage": True},
        name: 7,
        "temperature": 0.5,
    }


@pytest.mark.parametrize(
    ("name", "thinking", "max_tokens", "additions"),
    [
        ("qwen-plus", True, 2048, {"thinking_budget": 1024}),
        ("qwen-plus", True, 1, {"thinking_budget": 1}),
        ("qwen-plus", True, 1_000_000, {"thinking_budget": 32_768}),
        ("qwen-plus", False, 2048, {"enable_thinking": False}),
        ("qwen3-235b-a22b-thinking-2507", False, 2048, {"thinking_budget": 1024}),
        ("qwq-plus", True, 2048, {}),
        ("deepseek-r1", True, 2048, {}),
    ],
)
def test_thinking_is_limited_where_there_is_a_budget(
    name: str, thinking: bool, max_tokens: int, additions: dict[str, object]
) -> None:
    options = {"max_tokens": max_tokens}

    body = request_body(model(DASHSCOPE), HELLO, name, thinking=thinking, options=options)

    limits = {"enable_thinking", "thinking_budget"}
    assert {field: body[field] for field in body if field in limits} == additions
    assert body["max_tokens"] == max_tokens


ARK = "https://ark.cn-beijing.volces.com/api/v3/chat/completions"
MISTRAL = "https://api.mistral.ai/v1/chat/completions"
GATEWAY = "https://gateway.example.com/v1/chat/completions"


@pytest.mark.parametrize(
    ("url", "thinking", "options", "sent"),
    [
        (DASHSCOPE, True, {"enable_thinking": False}, {"enable_thinking": False}),
        (
            DASHSCOPE,
            False,
            {"enable_thinking": True},
            {"enable_thinking": True, "thinking_budget": 50},
        ),
        (DASHSCOPE, False, {"thinking_budget": 30}, {"thinking_budget": 30}),
        (DASHSCOPE, True, {"thinking_budget": 3000}, {"thinking_budget": 100}),
        (GATEWAY, True, {"thinking_budget": 3000}, {"thinking_budget": 100}),
        (GATEWAY, False, {"enable_thinking": True}, {"enable_thinking": True}),
        (ARK, False, {"thinking": {"type": "disabled"}}, {"thinking": {"type": "disabled"}}),
        (MISTRAL, True, {"seed": 7}, {"random_seed": 7}),
        (ARK, True, {"seed": 7}, {"seed": 7}),
    ],
)
def test_what_the_client_asks_for_wins_within_the_limit(
    url: str, thinking: bool, options: dict[str, object], sent: dict[str, object]
) -> None:
    given = {**options, "max_tokens": 100}
    body = request_body(model(url), HELLO, "qwen-plus", thinking=thinking, options=given)

    ours = {"model", "messages", "stream", "stream_options", "max_tokens"}
    assert {field: body[field] for field in body if field not in ours} == sent


async def _collect(url: str, name: str = "plain") -> list[Event]:
    async with client.stream(model(url), scenario(name), model="m", thinking=True) as events:
        return [event async for event in events]


async def _ask_three_times(url: str, name: str) -> None:
    for _ in range(3):
        await _collect(url, name)


@pytest.mark.parametrize("name", ["plain", "no-done", "json"])
def test_one_connection_serves_one_answer_after_another(name: str, fake: Upstream) -> None:
    async def ask_and_close() -> None:
        await _ask_three_times(fake.url, name)
        await client.close()

    asyncio.run(ask_and_close())

    assert (len(fake.requests), fake.connections) == (3, 1)
    assert fake.wait_until(lambda: fake.open_connections == 0)


def test_a_kept_connection_the_upstream_has_closed_is_replaced() -> None:
    async def ask_before_and_after_a_restart() -> list[Event]:
        with upstream.running() as first:
            await _collect(first.url)
        port = int(first.url.split(":")[2].split("/")[0])
        with upstream.running(port) as second:
            heard = await _collect(second.url)
        await client.close()
        return heard

    assert len(asyncio.run(ask_before_and_after_a_restart())) == 5


def test_a_connection_is_given_up_before_common_servers_close_it(
    fake: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Later:
        """A clock that is some seconds ahead."""

        seconds = 0.0

        def monotonic(self) -> float:
            return time.monotonic() + self.seconds

    clock = Later()
    monkeypatch.setattr(transport, "time", clock)

    async def ask_again_after(seconds: float) -> int:
        await _collect(fake.url)
        clock.seconds = seconds
        before = fake.connections
        await _collect(fake.url)
        await client.close()
        return fake.connections - before

    assert asyncio.run(ask_again_after(0)) == 0
    assert asyncio.run(ask_again_after(5)) == 1


def test_a_new_event_loop_gets_a_client_of_its_own(fake: Upstream) -> None:
    asyncio.run(_collect(fake.url))

    assert len(asyncio.run(_collect(fake.url))) == 5


def test_no_cookie_of_one_answer_is_sent_with_the_next_question(fake: Upstream) -> None:
    asyncio.run(_ask_three_times(fake.url, "cookies"))

    assert [request.headers.get("cookie") for request in fake.requests] == [None] * 3


def test_proxies_of_the_environment_are_not_used(
    fake: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", upstream.refused_url())
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:1")

    assert ask(model(fake.url), HELLO).error is None
