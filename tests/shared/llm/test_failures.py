"""Failures of upstreams: the client's error for each, and the details in the log."""

import base64
import json
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest

from shared.config import Secret
from shared.errors import (
    AppError,
    Misconfigured,
    UpstreamBusy,
    UpstreamFailed,
    UpstreamMisconfigured,
    UpstreamRejected,
    UpstreamTimeout,
)
from shared.llm.events import Delta, Event, Reasoning
from shared.llm.redaction import Redaction
from tests.fakes import upstream
from tests.fakes.upstream import PIECES, THOUGHT, Upstream
from tests.fakes.upstream_scenarios import RETRY_FORMS
from tests.patience import promised
from tests.shared.llm.asking import ANSWER, KEY, Heard, ask, model, patient_with, scenario

FIRST_WORD: list[Event] = [Delta(PIECES[0])]


def failure(heard: Heard) -> tuple[type[AppError], dict[str, object]]:
    assert isinstance(heard.error, AppError)
    return type(heard.error), heard.error.context


def refused(status: int, code: str = "", detail: str = "") -> dict[str, object]:
    return {"reason": "refused", "status": status, "code": code, "detail": detail}


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, UpstreamRejected),
        (401, UpstreamMisconfigured),
        (403, UpstreamMisconfigured),
        (404, UpstreamMisconfigured),
        (422, UpstreamRejected),
        (500, UpstreamFailed),
        (502, UpstreamFailed),
        (429, UpstreamBusy),
        (503, UpstreamBusy),
        (408, UpstreamTimeout),
        (504, UpstreamTimeout),
    ],
)
def test_an_http_error_becomes_ours_and_the_log_learns_why(
    status: int, kind: type[AppError], fake: Upstream
) -> None:
    heard = ask(model(fake.url), scenario(f"status-{status}"))

    expected = refused(status, f"code_{status}", "The vendor's words.")
    if kind is UpstreamMisconfigured:
        expected["trouble"] = status
    assert failure(heard) == (kind, expected)


@pytest.mark.parametrize(
    ("name", "headers"),
    [
        ("retry-after", {"Retry-After": "1"}),
        ("retry-after-a-fraction", {"Retry-After": "1"}),
        ("retry-after-a-past-date", {"Retry-After": "0"}),
        ("retry-after-a-far-date", {}),
        ("retry-after-nonsense", {}),
        ("status-429", {}),
    ],
)
def test_retry_after_is_passed_on_in_seconds(
    name: str, headers: dict[str, str], fake: Upstream
) -> None:
    heard = ask(patient_with(name, fake.url), scenario(name))

    assert isinstance(heard.error, UpstreamBusy)
    assert heard.error.headers == headers


@pytest.mark.parametrize("form", RETRY_FORMS)
def test_retry_after_may_be_a_date(form: str, fake: Upstream) -> None:
    """The fake names the moment in an hour."""
    heard = ask(model(fake.url), scenario(f"retry-after-a-{form}"))

    assert isinstance(heard.error, UpstreamBusy)
    assert 3600 - promised(0) < int(heard.error.headers["Retry-After"]) <= 3600


REFUSALS: dict[str, tuple[type[AppError], dict[str, object]]] = {
    "html-502": (UpstreamFailed, refused(502, detail="502 Bad Gateway")),
    "html-200": (UpstreamFailed, refused(200, detail="Welcome")),
    "plain-500": (UpstreamFailed, refused(500, detail="upstream connect error")),
    "endless-refusal": (UpstreamFailed, refused(500, detail="x" * 200)),
    "redirect": (UpstreamFailed, refused(302)),
    "iflow-435": (
        UpstreamMisconfigured,
        {**refused(200, "435", "Model not support"), "trouble": 404},
    ),
    "iflow-449": (UpstreamBusy, refused(200, "449", "You exceeded your current rate limit")),
    "error-first": (UpstreamFailed, refused(200, "model_error", "No.")),
    "error-busy": (UpstreamBusy, refused(200, "rate_limit_exceeded", "No.")),
    "error-flat": (UpstreamBusy, {**refused(200, "Throttling", "No."), "request_id": "r"}),
    "stalled-refusal": (UpstreamFailed, refused(500)),
    "empty": (UpstreamFailed, {"reason": "empty"}),
    "no-body": (UpstreamFailed, {"reason": "empty"}),
    "garbage": (UpstreamFailed, {"reason": "empty"}),
    "json-without-text": (UpstreamFailed, {"reason": "empty"}),
    "json-broken": (UpstreamFailed, {"reason": "empty"}),
    "endless-json": (UpstreamFailed, {"reason": "a body over 8 MiB"}),
    "huge-line": (UpstreamFailed, {"reason": "an event over 1 MiB"}),
    "closed-at-once": (UpstreamFailed, {"reason": "ReadError"}),
    "not-http": (UpstreamFailed, {"reason": "RemoteProtocolError"}),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_what_is_no_answer_is_an_error_and_nothing_else(name: str, fake: Upstream) -> None:
    heard = ask(patient_with(name, fake.url), scenario(name))

    assert (list(heard), failure(heard)) == ([], REFUSALS[name])


BROKEN_OFF: dict[str, tuple[list[Event], dict[str, object]]] = {
    "error-later": (FIRST_WORD, refused(200, "server", "No.")),
    "error-after-reasoning": ([Reasoning(THOUGHT)], refused(200, detail="No.")),
    "error-same-segment": (FIRST_WORD, refused(200, detail="No.")),
    "truncated": ([*ANSWER], {"reason": "cut"}),
    "truncated-null-reasons": ([*ANSWER], {"reason": "cut"}),
    "closed-politely": (FIRST_WORD, {"reason": "cut"}),
    "cut-inside-a-character": (FIRST_WORD, {"reason": "ReadError"}),
    "closed-inside-a-chunk": (FIRST_WORD, {"reason": "RemoteProtocolError"}),
}


@pytest.mark.parametrize("name", BROKEN_OFF)
def test_an_answer_that_breaks_off_gives_its_text_and_then_the_error(
    name: str, fake: Upstream
) -> None:
    heard = ask(patient_with(name, fake.url), scenario(name))

    assert (list(heard), failure(heard)) == (
        BROKEN_OFF[name][0],
        (UpstreamFailed, BROKEN_OFF[name][1]),
    )


def test_a_refused_connection_is_a_failure() -> None:
    heard = ask(model(upstream.refused_url()), scenario("plain"))

    assert failure(heard) == (UpstreamFailed, {"reason": "ConnectError"})


@pytest.mark.parametrize("url", ["http://127.0.0.1:port/", "http://xn--a/", "ftp://127.0.0.1/"])
def test_a_url_that_leads_nowhere_is_a_failure(url: str) -> None:
    heard = ask(model(url), scenario("plain"))

    assert type(heard.error) is UpstreamFailed


def test_a_vendor_that_quotes_the_key_does_not_bring_it_into_the_log(fake: Upstream) -> None:
    heard = ask(model(fake.url), scenario("indiscreet"))

    expected = refused(401, "bad", "Wrong key [key], also known as [key]")
    assert failure(heard) == (UpstreamMisconfigured, {**expected, "trouble": 401})


@pytest.mark.parametrize("key", ["sk-\r\nX-Injected: yes", "sk-密钥"])
def test_a_key_no_header_can_carry_is_a_misconfiguration_that_does_not_show_it(
    key: str, fake: Upstream
) -> None:
    heard = ask(model(fake.url, api_key=Secret(key)), scenario("plain"))

    assert failure(heard) == (
        Misconfigured,
        {"problems": ["OPENAI_API_KEY must be printable ASCII"]},
    )
    assert fake.requests == []


@pytest.mark.parametrize(
    "said", ["我的身份证号是110101199003070000", "call me at 13800138000", "1234"]
)
@pytest.mark.parametrize("parts", [False, True])
def test_a_vendor_that_quotes_the_conversation_does_not_bring_it_into_the_log(
    said: str, parts: bool, fake: Upstream
) -> None:
    text = f"{said} scenario: quoting"
    content: Any = [{"type": "text", "text": text}] if parts else text

    heard = ask(model(fake.url), [{"role": "user", "content": content}])

    assert failure(heard) == (
        UpstreamRejected,
        refused(400, "bad", "withheld: it quotes the conversation"),
    )


def test_a_quotation_of_a_short_message_is_found_too(fake: Upstream) -> None:
    short = {"role": "user", "content": "1380013"}

    heard = ask(model(fake.url), [short, *scenario("quoting-the-first")])

    assert failure(heard)[1]["detail"] == "withheld: it quotes the conversation"


def test_instructions_are_not_quoted_either(fake: Upstream) -> None:
    prompt = {"role": "system", "content": "You are an oracle."}

    heard = ask(model(fake.url), [prompt, *scenario("quoting-the-first")])

    assert failure(heard)[1]["detail"] == "withheld: it quotes the conversation"


@pytest.mark.parametrize(
    "conversation",
    [
        ["of the messages in it " * 50_000],
        ["of the messages in it "] * 50_000,
        ["很长的" * 300_000],
        ["The line again, bu" * 50_000],
        [None] * 50_000,
    ],
    ids=["long", "many-parts", "chinese", "nearly-quoted", "no-text"],
)
def test_a_long_conversation_takes_no_longer_to_search(conversation: list[Any]) -> None:
    """A slow search would block all other answers. The text is withheld instead."""
    line = "The line again, but with other words, of the mes sages in i t: 很长 的很 长的。" * 200

    def search(texts: list[Any]) -> str:
        return Redaction(Secret(KEY), [{"content": texts}], logs_text=True).prose(line)

    short = least_seconds(lambda: search(["some words of " * 1_000]))
    long = least_seconds(lambda: search(conversation))

    assert search(conversation).startswith("withheld: ")
    assert long < 10 * max(short, 0.002)


def least_seconds(work: Callable[[], object]) -> float:
    """The least processor time of three runs."""

    def once() -> float:
        started = time.process_time()
        work()
        return time.process_time() - started

    return min(once() for _ in range(3))


def test_no_failure_shows_the_key_or_a_header_in_its_traceback(fake: Upstream) -> None:
    for name in ("indiscreet", "closed-at-once", "not-http", "silence"):
        error = ask(patient_with(name, fake.url), scenario(name)).error
        assert error is not None
        assert error.__cause__ is None
        assert error.__suppress_context__ or error.__context__ is None
        assert KEY not in repr(error) + repr(vars(error))


CANARY = "Patient Zheng 的诊断书"
ENCODINGS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "upper case": str.upper,
    "escapes of JSON": lambda text: json.dumps(text + "é").replace("Pat", "\\u0050at"),
    "escapes of every character": lambda text: "".join(f"\\u{ord(one):04X}" for one in text),
    "percent": lambda text: quote(text, safe=""),
    "percent of every byte": lambda text: "".join(f"%{byte:02x}" for byte in text.encode()),
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64 in a word": lambda text: "v1_" + base64.urlsafe_b64encode(text.encode()).decode(),
    "hexadecimal": lambda text: text.encode().hex(),
    "HTML": lambda text: "".join(f"&#{ord(one)};" for one in text),
}


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize(("secret", "what"), [(KEY, "key"), (CANARY, "conversation")])
def test_what_is_withheld_is_found_in_every_encoding(encoding: str, secret: str, what: str) -> None:
    quoted = ENCODINGS[encoding](secret)
    redaction = Redaction(Secret(KEY), [{"role": "user", "content": CANARY}], logs_text=True)

    line = redaction.prose(f"Refused: {quoted}"[:190])

    assert line == f"withheld: it quotes the {what}" or "[key]" in line
    assert secret.casefold() not in line.casefold()
    assert redaction.name(quoted) == ""


@pytest.mark.parametrize("name", ["indiscreet", "quoting", "status-500", "plain-500"])
def test_the_words_of_an_upstream_are_not_logged_unless_a_setting_says_so(
    name: str, fake: Upstream
) -> None:
    heard = ask(model(fake.url, log_text=False), scenario(name))

    assert "detail" not in failure(heard)[1]


@pytest.mark.parametrize("name", ["request-id-in-the-body", "request-id-in-a-header"])
def test_the_request_id_of_a_vendor_is_logged(name: str, fake: Upstream) -> None:
    heard = ask(model(fake.url, log_text=False), scenario(name))

    assert failure(heard) == (
        UpstreamFailed,
        {"reason": "refused", "status": 500, "code": "InternalError", "request_id": "7f-3a91"},
    )


@pytest.mark.parametrize("code", ["two words", "x" * 65, "错误", KEY, "", "a\nb"])
def test_a_code_that_is_no_name_is_not_logged(code: str) -> None:
    assert Redaction(Secret(KEY), [], logs_text=True).name(code) == ""
