"""Every parameter of the chat completions API is done, sent on, or refused by its name."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from openai.types.chat.completion_create_params import (
    CompletionCreateParamsNonStreaming,
    CompletionCreateParamsStreaming,
)

from shared.llm.parameters import PARAMETERS
from tests.fakes.upstream import Upstream
from tests.web import WebFunction, serving

HELLO = [{"role": "user", "content": "你好"}]
SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}}
TOOLS = [{"type": "function", "function": {"name": "f", "parameters": SCHEMA, "strict": True}}]
JSON_SCHEMA = {
    "type": "json_schema",
    "json_schema": {"name": "n", "strict": True, "schema": SCHEMA},
}

# OpenAI's reference of POST /v1/chat/completions: each parameter, with a value.
DONE: dict[str, object] = {
    "messages": HELLO,
    "model": "test-model",
    "stream": False,
    "stream_options": {"include_usage": True, "include_obfuscation": True},
    "max_tokens": 7,
    "max_completion_tokens": 7,
}
SENT: dict[str, object] = {
    "temperature": 0.5,
    "top_p": 0.5,
    "stop": ["x"],
    "seed": 7,
    "presence_penalty": 0.5,
    "frequency_penalty": 0.5,
    "response_format": JSON_SCHEMA,
    "tools": TOOLS,
    "tool_choice": "auto",
    "parallel_tool_calls": False,
    "logit_bias": {"7": 1},
    "prediction": {"type": "content", "content": "x"},
    "reasoning_effort": "low",
    "verbosity": "low",
}
IGNORED: dict[str, object] = {
    "user": "u",
    "metadata": {"a": "b"},
    "safety_identifier": "u",
    "service_tier": "flex",
    "prompt_cache_key": "k",
    "prompt_cache_options": {"mode": "implicit"},
    "prompt_cache_retention": "24h",
}
REFUSED: dict[str, object] = {
    "n": 2,
    "store": True,
    "logprobs": True,
    "top_logprobs": 3,
    "modalities": ["text", "audio"],
    "audio": {"voice": "alloy", "format": "wav"},
    "moderation": {"model": "omni-moderation-latest"},
    "web_search_options": {},
    "functions": [{"name": "f"}],
    "function_call": "auto",
}
REFERENCE = {**DONE, **SENT, **IGNORED, **REFUSED}

# Of DashScope, Ark, Zhipu, DeepSeek, Moonshot, Mistral, vLLM.
VENDORS_SENT: dict[str, object] = {
    "enable_thinking": False,
    "thinking_budget": 5,
    "top_k": 5,
    "repetition_penalty": 1.1,
    "thinking": {"type": "disabled"},
    "do_sample": False,
    "tool_stream": True,
    "random_seed": 7,
    "safe_prompt": True,
    "prompt_mode": "reasoning",
    "chat_template_kwargs": {"enable_thinking": False},
    "min_p": 0.1,
    "stop_token_ids": [1],
    "guided_json": SCHEMA,
    "guided_regex": "a+",
    "guided_choice": ["a", "b"],
}
VENDORS_IGNORED: dict[str, object] = {"request_id": "r", "user_id": "u"}
VENDORS_REFUSED: dict[str, object] = {
    "enable_search": True,
    "search_options": {"forced_search": True},
}

DEFAULTS: dict[str, object] = {
    "n": 1,
    "store": False,
    "logprobs": False,
    "top_logprobs": 0,
    "modalities": ["text"],
    "enable_search": False,
}


def complete(web: WebFunction, **parameters: object) -> httpx.Response:
    body = {"messages": HELLO, **parameters}
    return web.client.post("/v1/chat/completions", json=body)


def refusal(answer: httpx.Response) -> tuple[int, str, str, str]:
    error = answer.json()["error"]
    return answer.status_code, error["type"], error["code"], error["param"]


def test_the_lists_here_are_the_whole_reference_and_the_whole_table() -> None:
    reference = {
        **CompletionCreateParamsNonStreaming.__annotations__,
        **CompletionCreateParamsStreaming.__annotations__,
    }

    assert set(REFERENCE) == set(reference)
    assert set(PARAMETERS) == {*(REFERENCE | VENDORS_SENT | VENDORS_IGNORED | VENDORS_REFUSED)}


@pytest.mark.parametrize("name", [*SENT, *VENDORS_SENT])
def test_a_parameter_for_the_model_arrives_as_it_was_given(
    name: str, chat: WebFunction, fake: Upstream
) -> None:
    value = {**SENT, **VENDORS_SENT}[name]

    more = {"tools": TOOLS} if name == "tool_choice" else {}
    assert complete(chat, **{**more, name: value}).status_code == 200
    assert fake.requests[-1].json[name] == value


@pytest.mark.parametrize("name", [*DONE, *IGNORED, *VENDORS_IGNORED])
def test_a_parameter_that_is_done_here_or_changes_nothing_is_no_error(
    name: str, chat: WebFunction, fake: Upstream
) -> None:
    value = {**DONE, **IGNORED, **VENDORS_IGNORED}[name]

    assert complete(chat, **{name: value}).status_code == 200
    assert name in DONE or name not in fake.requests[-1].json


@pytest.mark.parametrize("name", [*REFUSED, *VENDORS_REFUSED])
def test_a_parameter_that_cannot_be_done_is_refused_by_its_name(
    name: str, chat: WebFunction, fake: Upstream
) -> None:
    answer = complete(chat, **{name: (REFUSED | VENDORS_REFUSED)[name]})

    expected = (400, "invalid_request_error", "unsupported_parameter", name)
    assert refusal(answer) == expected
    assert name in answer.json()["error"]["message"]
    assert fake.requests == []


@pytest.mark.parametrize(
    ("name", "value"),
    [*DEFAULTS.items(), *((name, None) for name in PARAMETERS if name != "messages")],
)
def test_a_value_that_asks_for_nothing_is_no_error(
    name: str, value: object, chat: WebFunction, fake: Upstream
) -> None:
    assert complete(chat, **{name: value}).status_code == 200
    assert name in DONE or name not in fake.requests[-1].json


@pytest.mark.parametrize(("name", "value"), [("n", True), ("store", 0), ("modalities", "text")])
def test_a_value_that_only_resembles_the_default_is_refused(
    name: str, value: object, chat: WebFunction
) -> None:
    assert refusal(complete(chat, **{name: value}))[2:] == ("unsupported_parameter", name)


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [("logprobs", True, "false"), ("n", 2, "1"), ("modalities", ["audio"], '["text"]')],
)
def test_the_value_that_is_allowed_is_named_as_json(
    name: str, value: object, allowed: str, chat: WebFunction
) -> None:
    answer = complete(chat, **{name: value})

    assert f"is not supported, except {allowed}" in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("name", "nearest"), [("temprature", "temperature"), ("max_token", "max_tokens"), ("zzz", "")]
)
def test_an_unknown_parameter_is_refused_and_the_nearest_known_one_named(
    name: str, nearest: str, chat: WebFunction, fake: Upstream
) -> None:
    answer = complete(chat, **{name: 1})

    message = answer.json()["error"]["message"]
    assert refusal(answer)[2:] == ("unsupported_parameter", name)
    assert message.endswith(f"did you mean {nearest}?" if nearest else "is not a parameter")
    assert fake.requests == []


@pytest.mark.parametrize(
    ("name", "value", "param"),
    [
        ("response_format", {"type": "xml"}, "response_format.type"),
        ("response_format", {"type": "json_schema"}, "response_format"),
        (
            "response_format",
            {"type": "json_schema", "json_schema": {}},
            "response_format.json_schema.name",
        ),
        ("stream_options", {"include_everything": True}, "stream_options.include_everything"),
        ("enable_thinking", "perhaps", "enable_thinking"),
        ("thinking_budget", -1, "thinking_budget"),
    ],
)
def test_a_value_of_the_wrong_form_is_a_bad_request(
    name: str, value: object, param: str, chat: WebFunction, fake: Upstream
) -> None:
    assert refusal(complete(chat, **{name: value}))[2:] == ("invalid_request", param)
    assert fake.requests == []


@pytest.mark.parametrize(
    ("name", "value", "param"),
    [
        ("stop", ["x"] * 1001, "stop"),
        ("messages", [{"role": "user", "content": [0] * 1001}], "messages.0.content"),
        ("messages", [{"role": "assistant", "tool_calls": [0] * 1001}], "messages.0.tool_calls"),
    ],
)
def test_a_list_without_a_reasonable_end_is_refused_as_a_whole(
    name: str, value: object, param: str, chat: WebFunction
) -> None:
    """Else the error would have an entry for each wrong item, of millions in 4 MiB."""
    answer = complete(chat, **{name: value})

    assert refusal(answer)[2:] == ("invalid_request", param)


@pytest.fixture(scope="module")
def vendors(variables: dict[str, str], upstream_server: Upstream) -> Iterator[WebFunction]:
    """Chat with a model of known vendors only, and one that a gateway serves as well."""
    deepseek = "https://api.deepseek.com/v1"
    listed: list[dict[str, Any]] = [
        {"name": "d1", "url": deepseek, "key": "k", "serves": "deepseek-chat"},
        {"name": "m1", "url": "https://api.mistral.ai/v1", "key": "k", "serves": "mixed"},
        {"name": "d2", "url": deepseek, "key": "k", "serves": "mixed"},
        {"name": "d3", "url": deepseek, "key": "k", "serves": "both", "weight": 100},
        {"name": "gateway", "url": upstream_server.url, "key": "k", "serves": "both"},
    ]
    with serving("chat", **{**variables, "UPSTREAMS": json.dumps(listed)}) as web:
        yield web


@pytest.mark.parametrize("name", ["enable_thinking", "top_k", "safe_prompt", "verbosity"])
def test_a_parameter_that_no_upstream_of_the_model_knows_is_refused(
    name: str, vendors: WebFunction
) -> None:
    value = {**SENT, **VENDORS_SENT}[name]
    answer = complete(vendors, model="deepseek-chat", **{name: value})

    assert refusal(answer)[0::2] == (400, "unsupported_parameter")
    assert refusal(answer)[3] == name


def test_parameters_that_no_upstream_knows_together_are_refused(vendors: WebFunction) -> None:
    answer = complete(vendors, model="mixed", safe_prompt=True, thinking={"type": "enabled"})

    assert refusal(answer)[2:] == ("unsupported_parameter", "thinking")


def test_a_parameter_goes_only_to_the_upstreams_that_know_it(
    vendors: WebFunction, fake: Upstream
) -> None:
    """Which upstreams are asked besides is in the tests of routing."""
    assert complete(vendors, model="both", top_k=5).status_code == 200
    assert [request.json["top_k"] for request in fake.requests] == [5]
