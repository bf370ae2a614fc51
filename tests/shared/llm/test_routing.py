"""Routing to several upstreams of one model: choice, failover, and one upstream per answer."""

import asyncio
import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from types import MappingProxyType

import pytest

from shared import settings
from shared.config import load
from shared.errors import (
    ContextLengthExceeded,
    Misconfigured,
    UpstreamBusy,
    UpstreamFailed,
    UpstreamMisconfigured,
)
from shared.llm import client, routing
from shared.llm.events import Delta, Event
from shared.repos.upstream_calls import UpstreamCall
from tests.conftest import Configure
from tests.fakes import upstream
from tests.fakes.upstream import SENTENCE, Upstream
from tests.shared.llm.asking import scenario


@pytest.fixture
def fakes() -> Iterator[list[Upstream]]:
    with ExitStack() as stack:
        yield [stack.enter_context(upstream.running()) for _ in range(3)]


@pytest.fixture(autouse=True)
def _fresh_breakers() -> Iterator[None]:
    routing._catalog.cache_clear()
    yield
    routing._catalog.cache_clear()


def serve_by(configure: Configure, *urls: str, **more: object) -> None:
    listed = [{"name": f"u{n}", "url": url, "key": f"k{n}", **more} for n, url in enumerate(urls)]
    configure(
        OPENAI_API_KEY="sk-first",
        OPENAI_MODEL="ours",
        UPSTREAMS=json.dumps(listed),
        UPSTREAM_CONNECT_SECONDS="1",
        UPSTREAM_FIRST_BYTE_SECONDS="1",
        UPSTREAM_IDLE_SECONDS="1",
    )


def serve_models(configure: Configure, *listed: tuple[str, str, str]) -> None:
    """Upstreams of one model, each with its name, its URL and its vendor's name of the model."""
    routing._catalog.cache_clear()
    upstreams = [
        {"name": name, "url": url, "key": "k", "model": model} for name, url, model in listed
    ]
    configure(OPENAI_API_KEY="x", OPENAI_MODEL="ours", UPSTREAMS=json.dumps(upstreams))


HELLO = [{"role": "user", "content": "hello"}]
MENDED = ("401-openai", "402-zhipu", "403-dashscope", "404-vllm")


class Heard:
    """One answer: its text, the outcomes of its attempts, and its error."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.attempts: list[UpstreamCall] = []
        self.failure: Exception | None = None

    @property
    def text(self) -> str:
        return "".join(event.text for event in self.events if isinstance(event, Delta))

    @property
    def outcomes(self) -> list[str]:
        return [attempt.outcome for attempt in self.attempts]


def ask(
    name: str = "plain", model: str = "ours", options: Mapping[str, object] = MappingProxyType({})
) -> Heard:
    heard = Heard()

    async def run() -> None:
        try:
            async for event in routing.answer(
                model,
                scenario(name) if name else HELLO,
                thinking=True,
                options=options,
                report=heard.attempts.append,
            ):
                heard.events.append(event)
        except UpstreamFailed as error:
            heard.failure = error
        finally:
            await client.close()

    asyncio.run(run())
    return heard


def test_one_that_cannot_be_reached_is_replaced_before_anything_was_said(
    configure: Configure, fakes: list[Upstream]
) -> None:
    serve_by(configure, upstream.refused_url(), fakes[0].url)
    heard = [ask() for _ in range(6)]
    assert [one.text for one in heard] == [SENTENCE] * 6
    assert {tuple(one.outcomes) for one in heard} <= {("ok",), ("upstream_error", "ok")}
    assert len(fakes[0].requests) == 6


def test_after_the_first_word_there_is_no_other_upstream(
    configure: Configure, fakes: list[Upstream]
) -> None:
    serve_by(configure, fakes[0].url, fakes[1].url)
    heard = ask("error-later")
    assert isinstance(heard.failure, UpstreamFailed)
    assert heard.outcomes == ["upstream_error"]
    assert len(fakes[0].requests) + len(fakes[1].requests) == 1


def test_a_question_that_is_refused_is_not_asked_elsewhere(
    configure: Configure, fakes: list[Upstream]
) -> None:
    serve_by(configure, fakes[0].url, fakes[1].url)
    assert ask("status-400").outcomes == ["upstream_rejected"]
    assert ask("filtered-dashscope").outcomes == ["content_filtered"]
    assert ask("filtered-dashscope-first").outcomes == ["content_filtered"]


def test_a_prompt_too_long_for_one_model_is_asked_of_another_model_only(
    configure: Configure, fakes: list[Upstream]
) -> None:
    same, other = fakes[0].url, fakes[1].url
    two = {"a": same, "b": other}.items()
    serve_models(configure, ("a", same, "scenario:too-long-vllm"), ("b", other, "other"))
    assert {ask("").text for _ in range(6)} == {SENTENCE}

    serve_models(configure, *((name, url, "scenario:too-long-vllm") for name, url in two))
    heard = ask("")
    assert isinstance(heard.failure, ContextLengthExceeded)
    assert heard.outcomes == ["context_length_exceeded"]


@pytest.mark.parametrize("code", ["401", "402", "403", "404"])
def test_what_only_the_operator_can_mend_is_logged_and_another_one_answers(
    code: str, configure: Configure, fakes: list[Upstream], capsys: pytest.CaptureFixture[str]
) -> None:
    [name] = [one for one in MENDED if one.startswith(code)]
    broken = f"scenario:misconfigured-{name}"
    serve_models(configure, ("a", fakes[0].url, broken), ("b", fakes[1].url, "good"))

    heard = [ask("") for _ in range(12)]

    assert {one.text for one in heard} == {SENTENCE}
    failed = [one for one in heard if len(one.outcomes) > 1]
    assert {tuple(one.outcomes) for one in failed} == {(f"upstream_misconfigured:{code}", "ok")}
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(lines) == len(failed)
    for line in lines:
        assert (line["level"], line["event"]) == ("error", "upstream_misconfigured")
        assert (line["upstream"], line["trouble"]) == ("a", int(code))


def test_where_none_can_answer_the_failure_that_may_pass_is_named(
    configure: Configure, fakes: list[Upstream]
) -> None:
    key, busy, full = (
        f"scenario:{name}" for name in ("status-401", "status-429", "too-long-openai")
    )
    for models, expected in {
        (key, busy): UpstreamBusy,
        (full, busy): UpstreamBusy,
        (key, full): ContextLengthExceeded,
        (key, key): UpstreamMisconfigured,
    }.items():
        urls = [one.url for one in fakes]
        serve_models(configure, *zip("ab", urls, models, strict=False))
        assert {type(ask("").failure) for _ in range(7)} == {
            expected
        }  # also while breakers are open


def test_requests_that_are_refused_open_no_breaker(
    configure: Configure, fakes: list[Upstream]
) -> None:
    serve_by(configure, fakes[0].url, fakes[1].url)
    for name in ("status-400", "filtered-zhipu", "rejected-mistral") * 6:
        ask(name)
    assert {ask().outcomes[0] for _ in range(4)} == {"ok"}
    assert all(one.breaker.allows(0) for one in routing._catalog()._built([], []).upstreams)


def test_a_busy_one_is_asked_again_and_then_named(
    configure: Configure, fakes: list[Upstream]
) -> None:
    serve_by(configure, fakes[0].url)
    heard = ask("status-429")
    assert isinstance(heard.failure, UpstreamBusy)
    assert heard.outcomes == ["upstream_busy"] * 2


def test_a_dead_upstream_costs_a_few_requests_and_no_more(
    configure: Configure, fakes: list[Upstream]
) -> None:
    serve_by(configure, upstream.refused_url(), fakes[0].url)
    heard = [ask() for _ in range(40)]
    assert [one.text for one in heard] == [SENTENCE] * 40
    assert sum(one.outcomes.count("upstream_error") for one in heard) <= 5


def test_the_only_upstream_is_asked_however_often_it_failed(
    configure: Configure, fakes: list[Upstream]
) -> None:
    serve_by(configure, fakes[0].url)
    for _ in range(8):
        ask("error-first")
    assert ask().text == SENTENCE


def test_weights_decide_who_is_asked_how_often(configure: Configure, fakes: list[Upstream]) -> None:
    listed = [
        {"name": "small", "url": fakes[0].url, "key": "a", "weight": 1},
        {"name": "large", "url": fakes[1].url, "key": "b", "weight": 9},
    ]
    configure(OPENAI_API_KEY="x", OPENAI_MODEL="ours", UPSTREAMS=json.dumps(listed))
    for _ in range(60):
        assert ask().text == SENTENCE
    assert len(fakes[0].requests) + len(fakes[1].requests) == 60
    assert len(fakes[1].requests) > 3 * len(fakes[0].requests)


def test_each_upstream_gets_its_own_key_and_its_own_name_for_the_model(
    configure: Configure, fakes: list[Upstream]
) -> None:
    serve_by(configure, fakes[0].url, model="theirs")
    ask()
    [request] = fakes[0].requests
    assert request.headers["authorization"] == "Bearer k0"
    assert request.json["model"] == "theirs"


def test_a_model_is_answered_only_by_those_that_serve_it(
    configure: Configure, fakes: list[Upstream]
) -> None:
    listed = [
        {"name": "a", "url": fakes[0].url, "key": "a"},
        {"name": "b", "url": fakes[1].url, "key": "b", "serves": "other"},
    ]
    configure(OPENAI_API_KEY="x", OPENAI_MODEL="ours", UPSTREAMS=json.dumps(listed))
    assert asyncio.run(routing.models()) == ["ours", "other"]
    for _ in range(5):
        ask(model="other")
    assert (len(fakes[0].requests), len(fakes[1].requests)) == (0, 5)


def test_only_upstreams_that_know_the_parameters_are_asked(
    configure: Configure, fakes: list[Upstream]
) -> None:
    """One at an unknown host gets all parameters; one of DeepSeek knows no top_k."""
    deepseek = {"name": "d", "url": "https://api.deepseek.com", "key": "k", "weight": 100}
    gateway = {"name": "g", "url": fakes[0].url, "key": "k"}
    listed = [{**one, "serves": "ours"} for one in (deepseek, gateway)]
    configure(OPENAI_API_KEY="x", OPENAI_MODEL="ours", UPSTREAMS=json.dumps(listed))
    heard = [ask(options={"top_k": 5, "temperature": 1}) for _ in range(4)]

    assert [[call.upstream for call in one.attempts] for one in heard] == [["g"]] * 4
    assert fakes[0].requests[-1].json["top_k"] == 5


def test_times_are_measured(configure: Configure, fakes: list[Upstream]) -> None:
    serve_by(configure, fakes[0].url)
    [attempt] = ask().attempts
    assert attempt.upstream == "u0"
    assert attempt.first_token_ms is not None
    assert 0 <= attempt.first_token_ms <= attempt.duration_ms


@pytest.mark.parametrize(
    "text",
    [
        *("no json", "{}", "[1]", '[{"name": "a"}]'),
        '[{"name":"a","url":"ftp://x","key":"secret-1"}]',
        '[{"name":"a","url":"https://x.example","key":"secret-1","vision":"no"}]',
    ],
)
def test_a_list_that_is_none_is_refused_without_its_keys(configure: Configure, text: str) -> None:
    configure(UPSTREAMS=text)
    with pytest.raises(Misconfigured) as refused:
        load(settings.Upstreams)
    [problem] = refused.value.context["problems"]
    assert problem.startswith("UPSTREAMS must be a JSON list")
    assert "secret-1" not in problem
