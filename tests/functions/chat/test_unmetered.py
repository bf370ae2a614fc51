"""Chat without a database in production: allowed when asked for, and bounded in memory."""

import json
from collections.abc import Iterator

import pytest
from openai import OpenAI

from functions.chat.opening import unmetered
from functions.chat.opening.unmetered import UnmeteredLimits
from shared.errors import TooManyRequests
from shared.web.endpoint import Request
from tests.conftest import Configure
from tests.events import Reply
from tests.fakes.upstream import SENTENCE, Upstream
from tests.functions.chat.chatting import ask, hear
from tests.web import WebFunction, serving

LIMITS = {"UNMETERED_LIMIT": "2/1h", "UNMETERED_TOTAL": "5/1d"}
ALLOWED = {"APP_ENV": "production", "ALLOW_UNMETERED_CHAT": "true"}


@pytest.fixture
def alone(variables: dict[str, str]) -> Iterator[WebFunction]:
    """Chat in production, without a database."""
    with serving("chat", **{**variables, **ALLOWED, **LIMITS}) as web:
        yield web


def at(ip: str) -> dict[str, str]:
    return {"X-Forwarded-For": ip}


def completion(web: WebFunction, ip: str, *, stream: bool = False) -> Reply:
    body = {"messages": [{"role": "user", "content": "hi"}], "stream": stream}
    answer = web.client.post("/v1/chat/completions", json=body, headers=at(ip))
    return Reply(answer.status_code, answer.headers, answer.content)


def test_both_forms_and_the_other_api_answer(alone: WebFunction) -> None:
    whole, stream = ask(alone, headers=at("192.0.2.1")), hear(alone, headers=at("192.0.2.1"))
    other = completion(alone, "192.0.2.2")
    streamed = completion(alone, "192.0.2.2", stream=True)

    assert (whole.status, whole.data["reply"]) == (200, SENTENCE)
    assert (stream.text, stream.last.name) == (SENTENCE, "done")
    assert other.json["choices"][0]["message"]["content"] == SENTENCE
    assert (streamed.status, streamed.body[-14:]) == (200, b"data: [DONE]\n\n")


@pytest.mark.parametrize("secret", ["", "a-signing-key-of-enough-bytes-93b1f0c7d5"])
def test_a_key_is_not_read_because_there_are_no_accounts(
    variables: dict[str, str], fake: Upstream, secret: str
) -> None:
    """OpenAI's SDKs always send one."""
    with serving("chat", **{**variables, **ALLOWED, "JWT_SECRET": secret}) as web:
        with OpenAI(base_url=f"{web.base}/v1", api_key="sk-any", max_retries=0) as client:
            names = [model.id for model in client.models.list()]
            other = client.chat.completions.create(
                model=names[0], messages=[{"role": "user", "content": "hi"}]
            )
        own = ask(web, token="sk-any")

    assert other.choices[0].message.content == SENTENCE
    assert (own.status, own.data["reply"]) == (200, SENTENCE)


def test_one_address_has_a_limit_and_an_ipv6_network_is_one(
    alone: WebFunction, fake: Upstream
) -> None:
    ips = ["192.0.2.1", "192.0.2.1", "192.0.2.1", "2001:db8::1", "2001:db8::2", "2001:db8::3"]
    answers = [ask(alone, headers=at(ip)) for ip in ips]

    assert [one.status for one in answers] == [200, 200, 429, 200, 200, 429]
    assert answers[2].error == "rate_limited"
    assert 0 < int(answers[2].headers["retry-after"]) <= 3600
    assert completion(alone, "192.0.2.1").json["error"]["code"] == "rate_limited"
    assert len(fake.requests) == 4


def test_the_instance_has_a_limit_that_a_refused_address_does_not_use_up(
    alone: WebFunction, fake: Upstream
) -> None:
    refused = [ask(alone, headers=at("192.0.2.1")).status for _ in range(6)]
    others = [ask(alone, headers=at(f"192.0.2.{number}")).status for number in range(2, 7)]

    assert (refused, others) == ([200, 200, 429, 429, 429, 429], [200, 200, 200, 429, 429])
    assert len(fake.requests) == 5


def test_the_log_says_at_the_start_that_nothing_is_counted_across_instances(
    alone: WebFunction,
) -> None:
    [line] = alone.logged('"unmetered_chat"')

    said = json.loads(line)
    assert (said["level"], said["one_address"]) == ("warning", "2 messages in 3600 s")
    assert said["this_instance"] == "5 messages in 86400 s"
    assert "NO DATABASE" in said["problem"]


def test_with_a_database_that_is_down_nothing_is_free(
    variables: dict[str, str], fake: Upstream
) -> None:
    down = {"DATABASE_URL": "mysql://nobody@127.0.0.1:1/none", "GUEST_DAILY_MESSAGES": "5"}
    with serving("chat", **{**variables, **ALLOWED, **down}) as web:
        reply = ask(web)
        assert "unmetered_chat" not in web.log

    assert (reply.status, reply.error) == (503, "database_unavailable")
    assert fake.requests == []


def test_in_production_an_instance_must_have_a_limit(
    variables: dict[str, str], fake: Upstream
) -> None:
    with serving("chat", **{**variables, **ALLOWED, "UNMETERED_TOTAL": "0"}) as web:
        reply = ask(web)
        [line] = web.logged('"misconfigured"')

    assert (reply.status, reply.error) == (503, "misconfigured")
    assert "UNMETERED_TOTAL must not be 0 in production" in line
    assert fake.requests == []


def test_many_addresses_need_bounded_memory_and_reset_nothing(
    configure: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(UNMETERED_LIMIT="1/1h", UNMETERED_TOTAL="0")
    monkeypatch.setattr(unmetered, "_MOST_ADDRESSES", 3)
    limits, now = UnmeteredLimits(), [1_000]
    monkeypatch.setattr(unmetered, "now_ms", lambda: now[0])

    def taken(number: int) -> bool:
        try:
            limits.take(Request("POST", "/", source_ip=f"192.0.2.{number}"))
        except TooManyRequests:
            return False
        return True

    assert [taken(number) for number in (1, 2, 3, 4, 1)] == [True, True, True, False, False]
    assert len(limits._windows) == 3
    now[0] += 3_600_000
    assert [taken(number) for number in (4, 1, 4)] == [True, True, False]
    assert len(limits._windows) == 2
