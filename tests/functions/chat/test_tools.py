"""Tools of clients of OpenAI's API: requests, whole and streamed calls, histories, replays."""

import json
from typing import Any

import httpx
import pytest
from openai import OpenAI
from pydantic import BaseModel

from shared.database.transactions import read
from shared.llm.estimate import estimate_tokens
from tests.fakes.upstream import PIECES, SENTENCE, Upstream
from tests.fakes.upstream_calls import ARGUMENTS
from tests.functions.chat.chatting import events_of, watch
from tests.functions.conftest import Pair, SignUp
from tests.people import Person, paying
from tests.web import WebFunction

MODEL = "test-model"
TOOLS: list[Any] = [
    {
        "type": "function",
        "function": {
            "name": "weather",
            "description": "The weather of a city.",
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
            "strict": True,
        },
    },
    {"type": "function", "function": {"name": "clock"}},
]
CALLS = [
    {
        "id": "call_1",
        "type": "function",
        "function": {"name": "weather", "arguments": "".join(ARGUMENTS)},
    },
    {"id": "call_2", "type": "function", "function": {"name": "clock", "arguments": "{}"}},
]


@pytest.fixture
def anna(sign_up: SignUp) -> Person:
    return sign_up()


def sdk(web: WebFunction, token: str) -> OpenAI:
    return OpenAI(base_url=f"{web.base}/v1", api_key=token, max_retries=0)


def question(scenario: str) -> list[Any]:
    return [{"role": "user", "content": f"scenario: {scenario}"}]


def post(web: WebFunction, token: str, body: object, **headers: str) -> httpx.Response:
    named = {"Authorization": f"Bearer {token}", **headers}
    return web.client.post("/v1/chat/completions", json=body, headers=named)


def deltas(answer: httpx.Response) -> list[dict[str, Any]]:
    """The deltas of a stream, without its head and its end."""
    events = answer.content.decode().removesuffix("data: [DONE]\n\n").split("\n\n")[:-1]
    chunks = [json.loads(event.removeprefix("data: ")) for event in events]
    return [chunk["choices"][0]["delta"] for chunk in chunks[1:-1]]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("calls", None),
        ("json-calls", None),
        ("calls-after-text", PIECES[0]),
        ("calls-with-everything-repeated", None),
    ],
)
def test_a_whole_answer_has_the_calls(
    name: str, content: str | None, stored: WebFunction, anna: Person, fake: Upstream
) -> None:
    body = {"model": MODEL, "messages": question(name), "tools": TOOLS}
    more = {"tool_choice": "required", "parallel_tool_calls": True}
    answer = post(stored, anna.token, {**body, **more})

    [choice] = answer.json()["choices"]
    assert choice["finish_reason"] == "tool_calls"
    assert choice["message"] == {
        "role": "assistant",
        "content": content,
        "refusal": None,
        "tool_calls": CALLS,
    }
    sent = fake.requests[-1].json
    assert (sent["tools"], sent["tool_choice"], sent["parallel_tool_calls"]) == (
        TOOLS,
        "required",
        True,
    )


def test_a_stream_has_the_calls_in_parts_with_their_ids_and_names_once(
    stored: WebFunction, anna: Person
) -> None:
    body = {"model": MODEL, "messages": question("calls"), "tools": TOOLS, "stream": True}
    [[first], *others] = [one["tool_calls"] for one in deltas(post(stored, anna.token, body))]

    parts = [first, *(part for [part] in others)]
    heads = [part for part in parts if "id" in part]
    assert [(part["index"], part["id"], part["type"]) for part in heads] == [
        (0, "call_1", "function"),
        (1, "call_2", "function"),
    ]
    assert [part["function"]["name"] for part in parts if "name" in part["function"]] == [
        "weather",
        "clock",
    ]
    for index, call in enumerate(CALLS):
        said = [one["function"]["arguments"] for one in parts if one["index"] == index]
        assert "".join(said) == call["function"]["arguments"]  # type: ignore[index]


def test_the_helpers_of_the_sdk_join_the_calls(stored: WebFunction, anna: Person) -> None:
    streaming = sdk(stored, anna.token).chat.completions.stream(
        model=MODEL, messages=question("calls"), tools=TOOLS
    )
    with streaming as stream:
        completion = stream.get_final_completion()

    assert completion.choices[0].finish_reason == "tool_calls"
    calls = [call.to_dict() for call in completion.choices[0].message.tool_calls or []]
    assert [
        {name: value for name, value in call.items() if name in {"id", "type"}} for call in calls
    ] == [{"id": "call_1", "type": "function"}, {"id": "call_2", "type": "function"}]


def test_a_call_its_result_and_the_answer_are_one_conversation(
    stored: WebFunction, anna: Person, fake: Upstream
) -> None:
    """The message of the SDK goes back as it is, with all its nulls."""
    create = sdk(stored, anna.token).chat.completions.create
    messages = question("use-tools")
    called = create(model=MODEL, messages=messages, tools=TOOLS).choices[0].message
    results: list[Any] = [
        {"role": "tool", "tool_call_id": call.id, "content": f"result of {call.id}"}
        for call in called.tool_calls or []
    ]
    history = [*messages, called.model_dump(), *results]
    answer = create(model=MODEL, messages=history, tools=TOOLS)

    assert answer.choices[0].message.content == "result of call_2"
    assert fake.requests[-1].json["messages"] == [
        *messages,
        {"role": "assistant", "content": None, "tool_calls": CALLS},
        *results,
    ]


def test_all_that_a_message_may_have_arrives(
    stored: WebFunction, anna: Person, fake: Upstream
) -> None:
    part = {"type": "text", "text": "x"}
    sent: list[dict[str, Any]] = [
        {"role": "system", "name": "s", "content": [part]},
        {"role": "user", "name": "u", "content": [part, part]},
        {"role": "assistant", "content": None, "refusal": "No."},
        {"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]},
        {"role": "assistant", "name": "a", "content": "", "tool_calls": CALLS[:1]},
        {"role": "tool", "tool_call_id": "call_1", "content": [part]},
        {"role": "assistant", "content": "x", "reasoning_content": "y"},
        {"role": "user", "content": "z"},
    ]
    extra: dict[str, object] = {"annotations": [], "audio": None, "function_call": None}
    sent_with_nulls = [{**one, **(extra if one["role"] == "assistant" else {})} for one in sent]

    answer = post(stored, anna.token, {"model": MODEL, "messages": sent_with_nulls})

    assert answer.status_code == 200
    assert fake.requests[-1].json["messages"] == sent


@pytest.mark.parametrize("streamed", [False, True])
def test_a_repeated_key_gives_the_same_calls_from_any_instance(
    streamed: bool, pair: Pair, join: SignUp, fake: Upstream
) -> None:
    payer = paying(join(), 10_000)
    body = {"model": MODEL, "messages": question("calls"), "tools": TOOLS, "stream": streamed}
    first, *others = [
        post(web, payer.token, body, **{"Idempotency-Key": f"k{streamed}"})
        for web in (*pair, pair[0])
    ]

    assert len(fake.requests) == 1
    assert charges(payer) == 1
    for other in others:
        if streamed:
            assert calls_in(deltas(other)) == calls_in(deltas(first)) == CALLS
        else:
            assert other.json() == first.json()
            assert other.json()["choices"][0]["message"]["tool_calls"] == CALLS


def test_a_draft_of_calls_is_kept_when_the_answer_breaks_off(
    pair: Pair, join: SignUp, fake: Upstream
) -> None:
    payer = paying(join(), 10_000)
    body = {"model": MODEL, "messages": question("calls-cut"), "stream": True}
    first, again = [post(web, payer.token, body, **{"Idempotency-Key": "cut"}) for web in pair]

    assert charges(payer) == 1
    for answer in (first, again):
        begun = [json.loads(line[6:]) for line in answer.text.split("\n\n") if line]
        said = [x["choices"][0]["delta"] for x in begun if "choices" in x]
        assert begun[-1]["error"]["code"] == "upstream_error"
        [call] = calls_in(said)
        assert call["function"] == {"name": "weather", "arguments": "".join(ARGUMENTS[:2])}


def test_a_running_answer_of_calls_does_not_disturb_the_other_api(
    pair: Pair, join: SignUp, fake: Upstream
) -> None:
    anna = join()
    body = {"model": MODEL, "messages": question("calls-after-text"), "tools": TOOLS}
    message_id = post(pair[0], anna.token, body).json()["id"].removeprefix("chatcmpl-")

    with watch(pair[1], message_id, token=anna.token) as watched:
        events = events_of(watched.read())
    assert [one.data["text"] for one in events if one.name == "delta"] == [PIECES[0]]
    assert events[-1].data["finish_reason"] == "tool_calls"


@pytest.mark.parametrize("name", ["refusal", "json-refusal"])
def test_a_refusal_is_told_as_such(name: str, stored: WebFunction, anna: Person) -> None:
    create = sdk(stored, anna.token).chat.completions.create
    whole = create(model=MODEL, messages=question(name)).choices[0].message
    chunks = create(model=MODEL, messages=question(name), stream=True)

    assert (whole.content, whole.refusal) == (None, SENTENCE)
    assert "".join(chunk.choices[0].delta.refusal or "" for chunk in chunks) == SENTENCE


def test_structured_output_is_asked_for_and_parsed(
    stored: WebFunction, anna: Person, fake: Upstream
) -> None:
    class City(BaseModel):
        city: str

    answer = sdk(stored, anna.token).chat.completions.parse(
        model=MODEL, messages=question("structured"), response_format=City
    )

    assert answer.choices[0].message.parsed == City(city="杭州")
    sent = fake.requests[-1].json["response_format"]
    assert (sent["type"], sent["json_schema"]["name"]) == ("json_schema", "City")
    assert sent["json_schema"]["schema"]["required"] == ["city"]


LONG = "字" * 64_001


@pytest.mark.parametrize(
    "body",
    [
        {
            "messages": question("plain"),
            "tools": [{"type": "function", "function": {"name": LONG}}],
        },
        {
            "messages": question("plain"),
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "n", "schema": {"description": LONG}},
            },
        },
        {
            "messages": [
                *question("plain"),
                {"role": "assistant", "content": None, "tool_calls": CALLS[1:]},
                {"role": "tool", "tool_call_id": "call_2", "content": LONG},
            ]
        },
        {
            "messages": [
                *question("plain"),
                {
                    "role": "assistant",
                    "tool_calls": [{**CALLS[0], "function": {"name": "f", "arguments": LONG}}],
                },
                {"role": "tool", "tool_call_id": "call_1", "content": "x"},
            ]
        },
        {
            "messages": question("plain"),
            "prediction": {"type": "content", "content": LONG},
        },
        {"messages": question("plain"), "chat_template_kwargs": {"a": LONG}},
    ],
    ids=["tools", "schema", "result", "call", "prediction", "template"],
)
def test_all_that_the_model_reads_is_a_part_of_the_prompt(
    body: dict[str, Any], stored: WebFunction, anna: Person, fake: Upstream
) -> None:
    answer = post(stored, anna.token, body)

    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "context_length_exceeded")
    assert fake.requests == []


def test_calls_are_counted_where_the_upstream_does_not_count(
    stored: WebFunction, anna: Person
) -> None:
    usage = post(stored, anna.token, {"messages": question("only-a-tool-call")}).json()["usage"]

    assert usage["completion_tokens"] == estimate_tokens('clock{"a": 1}')


USER = {"role": "user", "content": "x"}
CALLING = {"role": "assistant", "content": None, "tool_calls": CALLS}


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"messages": [{"role": "function", "name": "f", "content": "x"}]}, "messages.0.role"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages.0"),
        ({"messages": [{**USER, "tool_call_id": "x"}]}, "messages.0"),
        ({"messages": [{**CALLING, "role": "user"}]}, "messages.0"),
        ({"messages": [{**USER, "refusal": "x"}]}, "messages.0"),
        ({"messages": [{"role": "assistant"}]}, "messages.0"),
        ({"messages": [{**USER, "function_call": {}}]}, "messages.0.function_call"),
        ({"messages": [{**USER, "prefix": True}]}, "messages.0.prefix"),
        (
            {"messages": [{"role": "user", "content": [{"type": "refusal", "refusal": "x"}]}]},
            "messages.0",
        ),
        ({"tools": [{"type": "custom", "custom": {"name": "c"}}]}, "tools.0.type"),
        ({"tools": [{"type": "function", "function": {}}]}, "tools.0.function.name"),
        ({"tools": TOOLS * 65}, "tools"),
        ({"tool_choice": "maybe", "tools": TOOLS}, "tool_choice"),
        ({"tool_choice": {"type": "function"}, "tools": TOOLS}, "tool_choice"),
        ({"parallel_tool_calls": "maybe", "tools": TOOLS}, "parallel_tool_calls"),
    ],
)
def test_what_cannot_be_sent_is_refused_by_its_name(
    fields: dict[str, Any], param: str, stored: WebFunction, anna: Person, fake: Upstream
) -> None:
    answer = post(stored, anna.token, {"messages": [USER], **fields})

    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)
    assert fake.requests == []


def test_a_named_function_may_be_chosen_and_no_tools_are_no_error(
    stored: WebFunction, anna: Person, fake: Upstream
) -> None:
    named = {"type": "function", "function": {"name": "clock"}}
    assert post(
        stored, anna.token, {"messages": [USER], "tools": TOOLS, "tool_choice": named}
    ).is_success
    assert fake.requests[-1].json["tool_choice"] == named
    assert post(stored, anna.token, {"messages": [USER], "tools": []}).is_success
    assert "tools" not in fake.requests[-1].json


def calls_in(said: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The calls in the deltas of a stream, joined as clients do."""
    calls: dict[int, dict[str, Any]] = {}
    for part in (part for one in said for part in one.get("tool_calls", [])):
        index, function = part.pop("index"), part["function"]
        if index in calls:
            calls[index]["function"]["arguments"] += function["arguments"]
        else:
            calls[index] = part
    return [calls[index] for index in sorted(calls)]


def charges(person: Person) -> int:
    return len(
        read(
            lambda db: db.find_all(
                lambda amount_fen: int(amount_fen),
                "SELECT amount_fen FROM ledger WHERE user_id = :id AND kind = 'charge'",
                id=person.id,
            )
        )
    )
