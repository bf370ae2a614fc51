"""Answers, streamed or not, for all kinds of upstream behaviour."""

import re

import pytest

from functions.chat.generation.answer import Answer
from shared.llm.estimate import estimate_tokens
from shared.llm.events import Delta, Reasoning
from tests.fakes.upstream import (
    CACHED_TOKENS,
    COMPLETION_TOKENS,
    PIECES,
    PROMPT_TOKENS,
    SENTENCE,
    THOUGHT,
    Upstream,
)
from tests.fakes.upstream_calls import CALL_SCENARIOS
from tests.fakes.upstream_packages import PACKAGES
from tests.fakes.upstream_scenarios import FALLS_SILENT, HUGE, LINE_ENDS, RETRY_AFTER, SCENARIOS
from tests.fakes.vendor_refusals import OF_VENDORS
from tests.functions.chat.chatting import (
    Stream,
    StreamEvent,
    ask,
    hear,
    heard_until,
    open_stream,
    pieces_of,
    post,
    watch,
)
from tests.functions.conftest import SignUp
from tests.patience import HANG_SECONDS
from tests.web import WebFunction

ID = re.compile(r"[0-9A-HJKMNP-TV-Z]{26}")
REPORTED = {
    "prompt_tokens": PROMPT_TOKENS,
    "completion_tokens": COMPLETION_TOKENS,
    "cached_tokens": 0,
    "source": "reported",
}
ORIGIN = "https://app.example.com"
LONGEST = 512 * 1024

# How much of the prompt the upstream says it had in a cache.
CACHED = {
    "cached": CACHED_TOKENS,
    "cached-alias": CACHED_TOKENS,
    "cached-too-much": PROMPT_TOKENS,
    "cached-nonsense": 0,
}

# What an answer says, and whether the upstream counted its tokens.
AS_DOCUMENTED = (SENTENCE, "stop", True)
COMPLETE = {
    **dict.fromkeys(
        [
            *("plain", "one-segment", "crlf", "crlf-split", "lone-cr", "no-space"),
            *("split-characters", "byte-order-mark", "comments", "fields", "data-lines"),
            *("no-done", "no-last-blank-line", "after-done", "no-finish-reason"),
            *("blank-finish-reasons", "early-usage", "choice-usage", "growing-usage"),
            *("null-usage", "choices-null", "delta-null", "content-null", "other-choices"),
            *("reasoning", "reasoning-alias", "typed-as-json", "malformed-lines", "wrong-types"),
            *("json", "cookies", "json-after-blank-lines", "json-typed-as-stream"),
            *("json-reasoning", "compressed", "no-end-after-done", "pings-before-the-answer"),
            *("json-without-reason", "opens-like-html", "single-newlines", "single-crlf"),
            *("completion-as-event", "completion-as-event-without-done"),
            *("completion-repeats-deltas", "json-refusal"),
        ],
        AS_DOCUMENTED,
    ),
    "content-parts": AS_DOCUMENTED,
    "one-character": ("好", "stop", True),
    "json-of-any-length": ("长" * 20_000, "stop", True),
    **dict.fromkeys(CACHED, AS_DOCUMENTED),
    "long-finish-reason": (SENTENCE, "x" * 32, True),
    "reasoning-counted-beside": AS_DOCUMENTED,
    "reasoning-counted-inside": AS_DOCUMENTED,
    "shrinking-usage": AS_DOCUMENTED,
    "zero-usage": AS_DOCUMENTED,
    "outdated-usage": AS_DOCUMENTED,
    "no-usage": (SENTENCE, "stop", False),
    "refusal": (SENTENCE, "stop", False),
    "endless-text": ("很" * LONGEST, "length", False),
    "cut-after-finish": (SENTENCE, "stop", False),
    "silence-after-finish": (SENTENCE, "stop", False),
    "silence-after-usage": AS_DOCUMENTED,
    "silence-before-done": AS_DOCUMENTED,
    "line-ends": (LINE_ENDS, "stop", False),
    "huge-delta": (HUGE, "stop", False),
    "half-character": ("😀, \ufffd", "stop", False),
    "only-reasoning-and-stop": ("", "stop", False),
    "only-a-tool-call": ("", "tool_calls", False),
    "no-text-but-a-reason": ("", "content_filter", False),
}

# What differs from the usual report.
COUNTED: dict[str, dict[str, object]] = {
    "reasoning-counted-beside": {"completion_tokens": 48 - PROMPT_TOKENS},
    "shrinking-usage": {"completion_tokens": 40},
    "zero-usage": {"completion_tokens": estimate_tokens(SENTENCE), "source": "estimated"},
    "outdated-usage": {
        "completion_tokens": 1 + estimate_tokens(PIECES[1] + PIECES[2]),
        "source": "estimated",
    },
}
# Output that is no text, and counts all the same.
UNSEEN = {
    **dict.fromkeys(
        ["only-reasoning-and-stop", "error-after-reasoning", "stall-in-reasoning"], THOUGHT
    ),
    "only-a-tool-call": 'clock{"a": 1}',
    "line-ends": LINE_ENDS,
}

# What was said before it broke off, and how it is called.
FAILED, BUSY, LATE = (502, "upstream_error"), (503, "upstream_busy"), (504, "upstream_timeout")
REJECTED, MISCONFIGURED = (400, "upstream_rejected"), (503, "upstream_misconfigured")
BROKEN = {
    **dict.fromkeys(
        [
            *("status-500", "status-502", "html-502", "html-200", "plain-500", "redirect"),
            *("error-first", "endless-refusal"),
            *(
                "endless-json",
                "empty",
                "no-body",
                "garbage",
                "huge-line",
                "json-without-text",
            ),
            *("request-id-in-the-body", "request-id-in-a-header"),
            *("json-broken", "closed-at-once", "not-http", "stalled-refusal"),
        ],
        ("", FAILED),
    ),
    **dict.fromkeys(
        [
            *("status-400", "status-422", "unknown-scenario"),
            *("quoting", "quoting-the-first", "quoting-encoded"),
        ],
        ("", REJECTED),
    ),
    **dict.fromkeys(
        ["status-401", "status-403", "status-404", "iflow-435", "indiscreet"], ("", MISCONFIGURED)
    ),
    **dict.fromkeys(
        [
            *("status-429", "status-503", "iflow-449", "error-busy", "error-flat"),
        ],
        ("", BUSY),
    ),
    **dict.fromkeys(
        ["status-408", "status-504", "silence", "slow-headers", "no-first-byte"], ("", LATE)
    ),
    "error-later": (PIECES[0], FAILED),
    "busy-later": (PIECES[0], BUSY),
    "late-later": (PIECES[0], LATE),
    "error-after-reasoning": ("", FAILED),
    "stall-in-reasoning": ("", LATE),
    "error-same-segment": (PIECES[0], FAILED),
    "truncated": (SENTENCE, FAILED),
    "truncated-null-reasons": (SENTENCE, FAILED),
    "closed-politely": (PIECES[0], FAILED),
    "cut-inside-a-character": (PIECES[0], FAILED),
    "closed-inside-a-chunk": (PIECES[0], FAILED),
    "stall": (PIECES[0] + PIECES[1], LATE),
    "silence-inside-a-character": (PIECES[0], LATE),
}
# Reasoning came before the failure, and no text.
REASONED = ("error-after-reasoning", "stall-in-reasoning")
EMPTY = [name for name, (text, _) in BROKEN.items() if not text and name not in REASONED]


@pytest.fixture
def web(name: str, chat: WebFunction, hasty: WebFunction) -> WebFunction:
    """The instance with short time limits if the upstream stops sending, else the usual one."""
    return hasty if name in FALLS_SILENT or name == "pings-before-the-answer" else chat


def test_every_scenario_of_the_upstream_is_expected_here() -> None:
    endless = {"endless", "endless-reasoning", "flood", "flood-of-reasoning"}
    held = {"held", "held-midway", "held-and-long"}
    elsewhere = OF_VENDORS | CALL_SCENARIOS | PACKAGES | RETRY_AFTER
    elsewhere |= {"obedient", "quoting-a-picture"}
    assert {*COMPLETE, *BROKEN, *endless, *held} == set(SCENARIOS) - elsewhere


def usage(name: str, fake: Upstream) -> dict[str, object]:
    text, _, counted = COMPLETE[name]
    reported = {**REPORTED, "cached_tokens": CACHED.get(name, 0), **COUNTED.get(name, {})}
    return reported if counted else estimated(text + UNSEEN.get(name, ""), fake)


def broken_off(name: str, fake: Upstream) -> dict[str, object]:
    text, (_, error) = BROKEN[name]
    usage = estimated(text + UNSEEN.get(name, ""), fake)
    return {"finish_reason": "error", "usage": usage, "error": error}


def estimated(text: str, fake: Upstream) -> dict[str, object]:
    request = fake.requests[-1]  # a busy upstream is asked again
    return {
        "prompt_tokens": sum(estimate_tokens(x["content"]) for x in request.json["messages"]),
        "completion_tokens": estimate_tokens(text),
        "cached_tokens": 0,
        "source": "estimated",
    }


@pytest.mark.parametrize("name", COMPLETE)
def test_a_whole_answer_has_exactly_these_fields(
    name: str, web: WebFunction, fake: Upstream
) -> None:
    text, finish_reason, _ = COMPLETE[name]

    reply = ask(web, f"scenario: {name}")

    latency_ms, message_id = reply.data["latency_ms"], reply.data["message_id"]
    assert (reply.status, reply.json) == (
        200,
        {
            "code": 0,
            "message": "OK",
            "data": {
                "reply": text,
                "message_id": message_id,
                "conversation_id": None,
                "model": "test-model",
                "finish_reason": finish_reason,
                "usage": usage(name, fake),
                "latency_ms": latency_ms,
                "ai_generated": True,
            },
            "request_id": reply.headers["x-request-id"],
        },
    )
    assert ID.fullmatch(message_id)
    assert 0 <= latency_ms < HANG_SECONDS * 1000


@pytest.mark.parametrize("name", COMPLETE)
def test_a_streamed_answer_has_exactly_these_events(
    name: str, web: WebFunction, fake: Upstream
) -> None:
    text, finish_reason, _ = COMPLETE[name]

    stream = hear(web, f"scenario: {name}")

    first, last = stream.events[0], stream.last
    message_id, latency_ms = first.data["message_id"], last.data["latency_ms"]
    identity = {"message_id": message_id, "conversation_id": None, "model": "test-model"}
    assert (stream.status, first, stream.text) == (200, StreamEvent("start", identity), text)
    outcome = {
        "finish_reason": finish_reason,
        "usage": usage(name, fake),
        "latency_ms": latency_ms,
        "ai_generated": True,
    }
    assert last == StreamEvent("done", outcome)


@pytest.mark.parametrize("name", ["reasoning", "reasoning-alias", "json-reasoning"])
def test_reasoning_is_streamed_apart_from_the_answer(name: str, chat: WebFunction) -> None:
    said = hear(chat, f"scenario: {name}").events

    assert said[1] == StreamEvent("reasoning", {"text": THOUGHT})
    assert {event.name for event in said[2:-1]} == {"delta"}


@pytest.mark.parametrize("name", EMPTY)
def test_a_failure_before_the_first_word_is_one_error_with_a_stable_name(
    name: str, web: WebFunction
) -> None:
    status, error = BROKEN[name][1]

    reply = ask(web, f"scenario: {name}")

    assert (reply.status, reply.error) == (status, error)
    assert set(reply.json) == {"code", "message", "error", "request_id"}


@pytest.mark.parametrize("name", [name for name in BROKEN if name not in EMPTY])
def test_what_came_before_a_failure_is_handed_over_and_says_that_it_broke_off(
    name: str, web: WebFunction, fake: Upstream
) -> None:
    text, _ = BROKEN[name]

    reply = ask(web, f"scenario: {name}")

    assert (reply.status, reply.data) == (
        200,
        {
            "reply": text,
            "message_id": reply.data["message_id"],
            "conversation_id": None,
            "model": "test-model",
            **broken_off(name, fake),
            "latency_ms": reply.data["latency_ms"],
            "ai_generated": True,
        },
    )


MESSAGES = {
    "upstream_error": "模型暂时无法回答。",
    "upstream_busy": "模型繁忙，请稍后重试。",
    "upstream_timeout": "模型响应超时。",
    "upstream_rejected": "模型不接受该请求，请修改参数或消息内容。",
    "upstream_misconfigured": "模型不可用，需由服务方检查配置。",
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_stream_that_breaks_off_says_what_came_then_the_error_and_ends(
    name: str, web: WebFunction, fake: Upstream
) -> None:
    text, (_, error) = BROKEN[name]

    stream = hear(web, f"scenario: {name}", headers={"Accept-Language": "zh"})

    assert (stream.status, stream.text) == (200, text)
    told = {
        **broken_off(name, fake),
        "latency_ms": stream.last.data["latency_ms"],
        "message": MESSAGES[error],
        "retryable": error not in {"upstream_rejected", "upstream_misconfigured"},
    }
    assert stream.last == StreamEvent("error", told)


def test_how_long_to_wait_is_passed_on(chat: WebFunction) -> None:
    assert ask(chat, "scenario: retry-after").headers["retry-after"] == "1"


EXPOSED = "X-Request-Id, Retry-After, X-Should-Retry, Content-Disposition, X-Aigc, ETag"


def test_every_streamed_answer_has_the_headers_a_stream_needs(chat: WebFunction) -> None:
    stream = hear(chat, headers={"Origin": ORIGIN, "X-Fc-Request-Id": "1-6740-stream"})

    assert dict(stream.headers) == {
        "x-request-id": "1-6740-stream",
        "x-content-type-options": "nosniff",
        "cache-control": "no-cache",
        "vary": "Origin",
        "access-control-allow-origin": ORIGIN,
        "access-control-expose-headers": EXPOSED,
        "content-type": "text/event-stream; charset=utf-8",
        "x-accel-buffering": "no",
        "transfer-encoding": "chunked",
    }


def test_every_whole_answer_has_these_headers(chat: WebFunction) -> None:
    reply = ask(chat, headers={"Origin": ORIGIN, "X-Fc-Request-Id": "1-6740-whole"})

    assert dict(reply.headers) == {
        "x-request-id": "1-6740-whole",
        "x-content-type-options": "nosniff",
        "cache-control": "no-store",
        "vary": "Origin",
        "access-control-allow-origin": ORIGIN,
        "access-control-expose-headers": EXPOSED,
        "content-type": "application/json; charset=utf-8",
        "content-length": str(len(reply.body)),
    }


def test_a_preflight_is_answered_without_a_body(chat: WebFunction) -> None:
    headers = {"Origin": ORIGIN, "Access-Control-Request-Method": "POST"}
    reply = chat.client.options("/api/chat", headers=headers)

    assert (reply.status_code, reply.content) == (204, b"")
    assert reply.headers["access-control-allow-origin"] == ORIGIN
    assert reply.headers["access-control-allow-methods"] == "OPTIONS, POST"
    assert "content-length" not in reply.headers  # RFC 9110, 8.6: never with 204


@pytest.mark.parametrize("accept", ["text/event-stream", "application/json, Text/Event-Stream"])
def test_asking_for_an_event_stream_in_the_header_is_enough(accept: str, chat: WebFunction) -> None:
    reply = ask(chat, headers={"Accept": accept})

    assert reply.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert Stream(reply.status, reply.headers, reply.body).text == SENTENCE


def test_a_question_refused_is_no_stream(chat: WebFunction) -> None:
    reply = post(chat, {"message": "", "stream": True}, headers={"Accept": "text/event-stream"})

    assert (reply.status, reply.error) == (422, "invalid_request")


def test_the_first_words_arrive_before_the_upstream_has_sent_its_last(
    chat: WebFunction, fake: Upstream
) -> None:
    with open_stream(chat, "scenario: stall") as answer:
        pieces = pieces_of(answer)  # held, because the connection closes with the last reference
        heard_until(pieces, PIECES[0] + PIECES[1])
        assert fake.open_connections > 0
        assert fake.abandoned == 0

    assert fake.wait_closed()


def test_an_endless_answer_ends_with_its_length(stored: WebFunction, sign_up: SignUp) -> None:
    name = "endless-text"
    person = sign_up()
    whole = ask(stored, f"scenario: {name}", token=person.token).data
    streamed = hear(stored, f"scenario: {name}", token=person.token)
    body = {"messages": [{"role": "user", "content": f"scenario: {name}"}]}
    headers = {"Authorization": f"Bearer {person.token}"}
    answer = stored.client.post("/v1/chat/completions", json=body, headers=headers).json()

    text = whole["reply"]  # as long as the reservation allows, which is less than LONGEST
    assert (set(text), 0 < len(text) <= LONGEST, whole["finish_reason"]) == ({"很"}, True, "length")
    assert (streamed.text, streamed.last.data["finish_reason"]) == (text, "length")
    [choice] = answer["choices"]
    assert (choice["message"]["content"], choice["finish_reason"]) == (text, "length")
    with watch(stored, streamed.events[0].data["message_id"], token=person.token) as again:
        assert Stream(again.status_code, again.headers, again.read()).text == text


def test_the_memory_of_an_answer_does_not_depend_on_its_events() -> None:
    answer = Answer()
    for _ in range(10_000):
        answer.take(Delta("很"))
    seen = answer.see_all()
    answer.take(Delta("多"))
    answer.take(Delta("多"))
    answer.take(Reasoning("想"))

    assert seen < 20
    assert [(one.kind, one.text) for one in answer.chunks[seen:]] == [
        ("text", "多多"),
        ("reasoning", "想"),
    ]
    assert answer.text == "很" * 10_000 + "多多"
