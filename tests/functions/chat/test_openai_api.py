"""The OpenAI-compatible API: through the official SDK, and on the wire where that hides things."""

import asyncio
import json
import math
from collections.abc import Iterator
from typing import Any

import httpx
import openai
import pytest
from openai import AsyncOpenAI, OpenAI
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from shared.database.transactions import read, transaction
from shared.ids import new_id
from shared.pricing import Price
from shared.repos import prices, wallets
from shared.version import RELEASED_AT
from tests.fakes.upstream import (
    CACHED_TOKENS,
    COMPLETION_TOKENS,
    PROMPT_TOKENS,
    SENTENCE,
    THOUGHT,
    Upstream,
)
from tests.functions.chat.chatting import ask
from tests.functions.conftest import SignUp
from tests.people import Person
from tests.web import WebFunction, eventually, serving

MODEL = "test-model"
HELLO: list[Any] = [{"role": "user", "content": "你好"}]
USAGE = {
    "prompt_tokens": PROMPT_TOKENS,
    "completion_tokens": COMPLETION_TOKENS,
    "total_tokens": PROMPT_TOKENS + COMPLETION_TOKENS,
    "prompt_tokens_details": {"cached_tokens": 0},
}
PRICE_FEN = 100


@pytest.fixture
def anna(sign_up: SignUp) -> Person:
    return sign_up()


@pytest.fixture(scope="module")
def paid(variables: dict[str, str], chat_database: str) -> Iterator[WebFunction]:
    """An instance without free messages and with short upstream limits."""
    more = {"DATABASE_URL": chat_database, "DAILY_FREE_MESSAGES": "0", "MAX_TOKENS": "500"}
    limits = {"UPSTREAM_FIRST_BYTE_SECONDS": "1", "UPSTREAM_IDLE_SECONDS": "1"}
    with serving("chat", **variables, **more, **limits, MESSAGE_PRICE_FEN=str(PRICE_FEN)) as web:
        yield web


def sdk(web: WebFunction, token: str, **more: Any) -> OpenAI:
    return OpenAI(base_url=f"{web.base}/v1", api_key=token, max_retries=0, **more)


def scenario(name: str) -> list[Any]:
    return [{"role": "user", "content": f"scenario: {name}"}]


def grant(person: Person, messages: int) -> None:
    transaction(wallets.open_wallet, person.id)
    key = f"grant:{new_id()}"
    booked = transaction(wallets.book, person.id, "grant", messages * PRICE_FEN, key=key)
    assert booked


def charges(person: Person) -> list[int]:
    return read(
        lambda db: db.find_all(
            lambda amount_fen: int(amount_fen),
            "SELECT amount_fen FROM ledger WHERE user_id = :id AND kind = 'charge'",
            id=person.id,
        )
    )


def rows(sql: str, **parameters: object) -> list[dict[str, object]]:
    return read(lambda db: db.find_all(dict, sql, **parameters))


def post(web: WebFunction, token: str, body: object, **headers: str) -> httpx.Response:
    named = {"Authorization": f"Bearer {token}", **headers}
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return web.client.post("/v1/chat/completions", content=content, headers=named)


def test_an_answer_is_a_completion(stored: WebFunction, anna: Person) -> None:
    answer = sdk(stored, anna.token).chat.completions.create(model=MODEL, messages=HELLO)

    assert answer == ChatCompletion.model_validate(
        {
            "id": answer.id,
            "object": "chat.completion",
            "created": answer.created,
            "model": MODEL,
            "choices": [
                {
                    "index": 0,
                    "message": {"role": "assistant", "content": SENTENCE, "refusal": None},
                    "logprobs": None,
                    "finish_reason": "stop",
                }
            ],
            "usage": USAGE,
        }
    )
    assert answer.id.startswith("chatcmpl-")
    assert answer._request_id


def test_a_stream_is_chunks_with_the_usage_last(stored: WebFunction, anna: Person) -> None:
    chunks = list(
        sdk(stored, anna.token).chat.completions.create(
            model=MODEL, messages=HELLO, stream=True, stream_options={"include_usage": True}
        )
    )

    first, *middle, last, counted = chunks
    assert first.choices[0].delta.model_dump(exclude_none=True) == {
        "role": "assistant",
        "content": "",
    }
    assert "".join(chunk.choices[0].delta.content or "" for chunk in middle) == SENTENCE
    assert [chunk.choices[0].finish_reason for chunk in (first, *middle)] == [None] * (
        len(middle) + 1
    )
    assert (last.choices[0].finish_reason, last.choices[0].delta.content) == ("stop", None)
    assert [chunk.usage for chunk in chunks[:-1]] == [None] * (len(chunks) - 1)
    assert counted.usage is not None
    assert (counted.choices, counted.usage.model_dump(exclude_none=True)) == ([], USAGE)
    assert {(chunk.id, chunk.object, chunk.model, chunk.created) for chunk in chunks} == {
        (first.id, "chat.completion.chunk", MODEL, first.created)
    }


def test_a_stream_on_the_wire_is_data_lines_and_an_end(stored: WebFunction, anna: Person) -> None:
    answer = post(stored, anna.token, {"model": MODEL, "messages": HELLO, "stream": True})

    *events, end = answer.content.removesuffix(b"\n\n").split(b"\n\n")
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert end == b"data: [DONE]"
    for event in events:
        document = json.loads(event.removeprefix(b"data: "))
        ChatCompletionChunk.model_validate(document)
        assert "usage" not in document


def test_the_helpers_of_the_sdk_work_too(stored: WebFunction, anna: Person) -> None:
    streaming = sdk(stored, anna.token).chat.completions.stream(model=MODEL, messages=HELLO)
    with streaming as stream:
        completion = stream.get_final_completion()

    assert completion.choices[0].message.content == SENTENCE


def test_the_asynchronous_client_is_answered_too(stored: WebFunction, anna: Person) -> None:
    async def converse() -> tuple[str | None, str]:
        async with AsyncOpenAI(
            base_url=f"{stored.base}/v1", api_key=anna.token, max_retries=0
        ) as client:
            whole = await client.chat.completions.create(model=MODEL, messages=HELLO)
            stream = await client.chat.completions.create(model=MODEL, messages=HELLO, stream=True)
            said = [chunk.choices[0].delta.content or "" async for chunk in stream]
            return whole.choices[0].message.content, "".join(said)

    assert asyncio.run(converse()) == (SENTENCE, SENTENCE)


def test_what_the_model_thinks_is_told_apart(stored: WebFunction, anna: Person) -> None:
    create = sdk(stored, anna.token).chat.completions.create
    whole = create(model=MODEL, messages=scenario("reasoning"))
    chunks = create(model=MODEL, messages=scenario("reasoning"), stream=True)
    thought = [getattr(chunk.choices[0].delta, "reasoning_content", "") for chunk in chunks]

    assert "".join(thought) == THOUGHT
    assert getattr(whole.choices[0].message, "reasoning_content", None) == THOUGHT
    assert whole.choices[0].message.content == SENTENCE


def test_the_models_are_listed(stored: WebFunction, anna: Person) -> None:
    [listed] = sdk(stored, anna.token).models.list()

    assert (listed.id, listed.object) == (MODEL, "model")
    assert listed.created == RELEASED_AT


def test_one_model_is_told_or_not_found(stored: WebFunction, anna: Person) -> None:
    client = sdk(stored, anna.token)

    assert client.models.retrieve(MODEL) == client.models.list().data[0]
    with pytest.raises(openai.NotFoundError) as refused:
        client.models.retrieve("org/gpt-9:free")

    assert (refused.value.code, refused.value.type) == ("model_not_found", "invalid_request_error")
    assert refused.value.response.headers["x-should-retry"] == "false"


def test_the_name_of_a_model_may_have_slashes_and_colons(stored: WebFunction, anna: Person) -> None:
    name = "org/family/model:free 1"
    with serving("chat", **{**stored.variables, "OPENAI_MODEL": name}) as web:
        client = sdk(web, anna.token)
        named = {"Authorization": f"Bearer {anna.token}"}
        plain = web.client.get(f"/v1/models/{name}", headers=named).json()

        assert client.models.retrieve(name).id == plain["id"] == name


def test_a_path_that_does_not_exist_says_what_does(stored: WebFunction, anna: Person) -> None:
    with pytest.raises(openai.NotFoundError) as refused:
        sdk(stored, anna.token).responses.create(model=MODEL, input="Hello")

    assert (refused.value.code, refused.value.type) == ("unknown_url", "invalid_request_error")
    assert "/v1/chat/completions" in refused.value.message


def test_the_messages_are_sent_as_they_are(
    stored: WebFunction, anna: Person, fake: Upstream
) -> None:
    parts = [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}]
    said: list[Any] = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": parts},
        {"role": "assistant", "content": "Three."},
        {"role": "developer", "content": "Be briefer."},
        {"role": "user", "content": "and now?"},
    ]
    sdk(stored, anna.token).chat.completions.create(model=MODEL, messages=said)

    assert fake.requests[-1].json["messages"] == [
        *said[:3],
        {"role": "system", "content": "Be briefer."},
        said[4],
    ]


def test_parameters_are_passed_on_and_the_limit_is_bounded(
    paid: WebFunction, anna: Person, fake: Upstream
) -> None:
    grant(anna, 3)
    create = sdk(paid, anna.token).chat.completions.create
    create(
        model=MODEL,
        messages=HELLO,
        temperature=0.2,
        top_p=0.9,
        stop=["\n"],
        max_tokens=100,
    )
    create(model=MODEL, messages=HELLO, max_completion_tokens=100_000)
    create(model=MODEL, messages=HELLO)

    common = {
        "model": MODEL,
        "messages": HELLO,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    assert [request.json for request in fake.requests[-3:]] == [
        {**common, "temperature": 0.2, "top_p": 0.9, "stop": ["\n"], "max_tokens": 100},
        {**common, "max_tokens": 500},
        {**common, "max_tokens": 500},
    ]


def test_the_other_door_sends_a_limit_too(paid: WebFunction, anna: Person, fake: Upstream) -> None:
    grant(anna, 1)
    assert ask(paid, token=anna.token).status == 200

    assert fake.requests[-1].json["max_tokens"] == 500


def test_no_more_is_reserved_than_the_limit_can_cost(paid: WebFunction, anna: Person) -> None:
    """At one fen per token the balance covers only a short answer."""
    price = Price(MODEL, 1, "token", output_ufen=1_000_000_000)
    transaction(prices.add, price, changed_by=anna.id)
    grant(anna, 1)
    create = sdk(paid, anna.token).chat.completions.create
    try:
        with pytest.raises(openai.APIStatusError) as refused:
            create(model=MODEL, messages=HELLO)
        create(model=MODEL, messages=HELLO, max_tokens=PRICE_FEN)
    finally:
        transaction(lambda db: db.execute("DELETE FROM prices"))

    assert refused.value.status_code == 402
    assert charges(anna) == [-COMPLETION_TOKENS]


def test_what_came_from_a_cache_is_told_and_costs_the_cached_price(
    paid: WebFunction, anna: Person
) -> None:
    """One fen per token, a tenth of a fen per cached token."""
    price = Price(MODEL, 1, "token", input_ufen=10**9, cached_ufen=10**8, output_ufen=10**9)
    fresh = PROMPT_TOKENS - CACHED_TOKENS
    cost_fen = math.ceil(fresh + CACHED_TOKENS / 10 + COMPLETION_TOKENS)
    transaction(prices.add, price, changed_by=anna.id)
    grant(anna, 10)
    try:
        told = sdk(paid, anna.token).chat.completions.create(
            model=MODEL, messages=scenario("cached"), max_tokens=500
        )
        receipt = ask(paid, "scenario: cached-alias", token=anna.token).data["charge"]["receipt"]
    finally:
        transaction(lambda db: db.execute("DELETE FROM prices"))

    assert told.usage is not None
    assert told.usage.model_dump(exclude_none=True) == {
        **USAGE,
        "prompt_tokens_details": {"cached_tokens": CACHED_TOKENS},
    }
    assert receipt["cached_tokens"] == CACHED_TOKENS
    assert charges(anna) == [-cost_fen] * 2


def test_each_call_is_charged_once(paid: WebFunction, anna: Person) -> None:
    grant(anna, 3)
    client = sdk(paid, anna.token)
    client.chat.completions.create(model=MODEL, messages=HELLO)
    assert charges(anna) == [-PRICE_FEN]

    list(client.chat.completions.create(model=MODEL, messages=HELLO, stream=True))
    assert charges(anna) == [-PRICE_FEN] * 2


def test_no_conversation_is_kept(stored: WebFunction, anna: Person) -> None:
    sdk(stored, anna.token).chat.completions.create(model=MODEL, messages=HELLO)

    turns = "SELECT state, conversation_id, question FROM turns WHERE user_id = :id"
    assert rows("SELECT id FROM conversations WHERE user_id = :id", id=anna.id) == []
    assert rows(turns, id=anna.id) == [
        {"state": "settled", "conversation_id": None, "question": None}
    ]


def test_a_repeated_key_gives_the_first_answer_again(
    paid: WebFunction, anna: Person, fake: Upstream
) -> None:
    grant(anna, 5)
    create = sdk(paid, anna.token).chat.completions.create
    one, two = {"Idempotency-Key": "one"}, {"Idempotency-Key": "two"}

    whole = [create(model=MODEL, messages=HELLO, extra_headers=one) for _ in range(2)]
    streamed = [
        list(create(model=MODEL, messages=HELLO, stream=True, extra_headers=two)) for _ in range(2)
    ]

    texts = [
        "".join(chunk.choices[0].delta.content or "" for chunk in chunks) for chunks in streamed
    ]
    assert whole[0] == whole[1]
    assert texts == [SENTENCE] * 2
    assert streamed[0][0] == streamed[1][0]
    assert streamed[0][-1] == streamed[1][-1]
    assert len(fake.requests) == 2
    assert charges(anna) == [-PRICE_FEN] * 2
    with pytest.raises(openai.BadRequestError) as refused:
        create(model=MODEL, messages=scenario("json"), extra_headers=one)
    assert refused.value.code == "idempotency_mismatch"


def test_a_key_whose_answer_is_still_coming_joins_it(
    stored: WebFunction, anna: Person, fake: Upstream
) -> None:
    create = sdk(stored, anna.token).chat.completions.create
    key = {"Idempotency-Key": "same"}
    with create(model=MODEL, messages=scenario("endless"), stream=True, extra_headers=key) as first:
        message_id = next(iter(first)).id.removeprefix("chatcmpl-")
        again = create(model=MODEL, messages=scenario("endless"), stream=True, extra_headers=key)
        assert next(iter(again)).id == f"chatcmpl-{message_id}"
        stop = {"message_id": message_id}
        named = {"Authorization": f"Bearer {anna.token}"}
        assert stored.client.post("/api/chat/stop", json=stop, headers=named).status_code == 200
        [*_, last] = first
        [*_, joined] = again
    assert last == joined
    assert last.choices[0].finish_reason == "stop"


def test_a_wrong_token_is_an_authentication_error(stored: WebFunction) -> None:
    client = sdk(stored, "nonsense")
    for call in (
        lambda: client.chat.completions.create(model=MODEL, messages=HELLO),
        client.models.list,
    ):
        with pytest.raises(openai.AuthenticationError) as refused:
            call()
        assert refused.value.body == {
            "message": "The access token is not valid. Sign in again.",
            "type": "authentication_error",
            "param": None,
            "code": "invalid_token",
        }
        assert refused.value.request_id


def test_no_balance_is_payment_required_and_nothing_is_asked(
    paid: WebFunction, anna: Person, fake: Upstream
) -> None:
    with pytest.raises(openai.APIStatusError) as refused:
        sdk(paid, anna.token).chat.completions.create(model=MODEL, messages=HELLO, stream=True)

    assert (refused.value.status_code, refused.value.code) == (402, "insufficient_balance")
    assert refused.value.type == "insufficient_quota"
    assert fake.requests == []


def test_too_many_at_once_is_a_rate_limit(stored: WebFunction, anna: Person) -> None:
    create = sdk(stored, anna.token).chat.completions.create
    streams = [create(model=MODEL, messages=scenario("endless"), stream=True) for _ in range(3)]
    with pytest.raises(openai.RateLimitError) as refused:
        create(model=MODEL, messages=HELLO)
    assert (refused.value.code, refused.value.type) == ("too_many_streams", "rate_limit_error")
    assert refused.value.response.headers["x-should-retry"] == "true"

    for stream in streams:
        message_id = next(iter(stream)).id.removeprefix("chatcmpl-")
        named = {"Authorization": f"Bearer {anna.token}"}
        stored.client.post("/api/chat/stop", json={"message_id": message_id}, headers=named)
        list(stream)


def test_a_guest_who_has_had_enough_is_not_told_to_try_again(
    stored: WebFunction, guest_ip: str
) -> None:
    """With Retry-After, the SDK would wait for seconds and repeat the request in vain."""

    def visit() -> httpx.Response:
        body = {"model": MODEL, "messages": HELLO}
        return stored.client.post(
            "/v1/chat/completions", json=body, headers={"X-Forwarded-For": guest_ip}
        )

    answers = [visit() for _ in range(6)]

    assert [one.status_code for one in answers] == [200] * 5 + [429]
    assert answers[-1].headers["x-should-retry"] == "false"
    assert answers[-1].json()["error"]["code"] == "daily_limit_reached"


def test_an_unknown_model_is_not_found(stored: WebFunction, anna: Person) -> None:
    with pytest.raises(openai.NotFoundError) as refused:
        sdk(stored, anna.token).chat.completions.create(model="gpt-9", messages=HELLO)

    assert (refused.value.code, refused.value.type) == ("model_not_found", "invalid_request_error")


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "narrator", "content": "x"}]}, "messages.0.role"),
        ({"messages": [{"role": "user", "content": None}]}, "messages.0"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}]},
            "messages.0.content.0.image_url.url",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "text", "text": 7}]}]},
            "messages.0.content.0.text",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "text", "txt": "x", "text": ""}]}]},
            "messages.0.content.0.txt",
        ),
        ({"messages": HELLO, "stop": {"x": 7}}, "stop"),
        ({"messages": HELLO, "max_tokens": 0}, "max_tokens"),
        ({"messages": HELLO, "temperature": 9}, "temperature"),
    ],
)
def test_what_is_no_question_is_a_bad_request(
    fields: dict[str, Any], param: str, stored: WebFunction, anna: Person
) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        sdk(stored, anna.token).chat.completions.create(model=MODEL, **fields)

    assert (refused.value.param, refused.value.code) == (param, "invalid_request")
    assert param in refused.value.message


@pytest.mark.parametrize(
    ("method", "path", "body", "expected"),
    [
        ("POST", "/v1/chat/completions", b"{", (400, "malformed_json")),
        ("POST", "/v1/chat/completions", b"x" * 4_300_000, (413, "payload_too_large")),
        ("GET", "/v1/chat/completions", b"", (405, "method_not_allowed")),
        ("POST", "/v1/models", b"", (405, "method_not_allowed")),
        ("DELETE", "/v1/models/test-model", b"", (405, "method_not_allowed")),
        ("POST", "/v1/responses", b"{}", (404, "unknown_url")),
        ("POST", "/v1/completions", b"{}", (404, "unknown_url")),
        ("POST", "/v1/embeddings", b"{}", (404, "unknown_url")),
        ("POST", "/v1/chat/completion", b"{}", (404, "unknown_url")),
        ("GET", "/v1/", b"", (404, "unknown_url")),
        ("GET", "/v1/models/", b"", (404, "unknown_url")),
    ],
)
def test_the_boundary_refuses_in_the_same_shape(
    method: str, path: str, body: bytes, expected: tuple[int, str], stored: WebFunction
) -> None:
    answer = stored.client.request(method, path, content=body)

    assert (answer.status_code, answer.json()["error"]["code"]) == expected
    assert answer.json().keys() == {"error"}
    assert answer.headers["x-request-id"]


def test_an_upstream_that_fails_is_an_error_and_free(paid: WebFunction, anna: Person) -> None:
    grant(anna, 2)
    create = sdk(paid, anna.token).chat.completions.create
    with pytest.raises(openai.InternalServerError) as refused:
        create(model=MODEL, messages=scenario("closed-at-once"))
    with pytest.raises(openai.APIError) as broken:
        list(create(model=MODEL, messages=scenario("closed-at-once"), stream=True))

    assert (refused.value.status_code, refused.value.code) == (502, "upstream_error")
    assert refused.value.type == "server_error"
    assert broken.value.code == "upstream_error"
    assert charges(anna) == []


def test_a_stream_that_breaks_off_ends_in_an_error_and_is_charged_once(
    paid: WebFunction, anna: Person
) -> None:
    grant(anna, 2)
    key = {"Idempotency-Key": "broken"}
    create = sdk(paid, anna.token).chat.completions.create
    for _ in range(2):  # the second is a replay
        stream = create(
            model=MODEL, messages=scenario("error-later"), stream=True, extra_headers=key
        )
        said = list[str]()
        with pytest.raises(openai.APIError) as broken:
            said.extend(chunk.choices[0].delta.content or "" for chunk in stream)
        assert ("".join(said), broken.value.code) == ("你好", "upstream_error")

    assert charges(anna) == [-PRICE_FEN]


def test_a_client_that_leaves_is_charged_once(paid: WebFunction, anna: Person) -> None:
    grant(anna, 2)
    create = sdk(paid, anna.token).chat.completions.create
    with create(model=MODEL, messages=scenario("stall"), stream=True) as stream:
        for chunk in stream:
            if chunk.choices[0].delta.content:
                break

    assert eventually(lambda: charges(anna)) == [-PRICE_FEN]
