"""Refusals of real vendors: for good, to be mended by the operator, or passing."""

import pytest

from shared.errors import (
    ContentFiltered,
    ContextLengthExceeded,
    UpstreamBusy,
    UpstreamFailed,
    UpstreamMisconfigured,
    UpstreamRejected,
)
from shared.llm.events import Delta
from tests.fakes import vendor_refusals as vendors
from tests.fakes.upstream import PIECES, Upstream
from tests.shared.llm.asking import Heard, ask, model, scenario

EXPECTED = {
    "filtered": ContentFiltered,
    "too-long": ContextLengthExceeded,
    "rejected": UpstreamRejected,
    "misconfigured": UpstreamMisconfigured,
    "passing": UpstreamBusy,
}
REFUSALS = [(kind, vendor) for kind, refusals in vendors.KINDS.items() for vendor in refusals]
# Their meaning is in the HTTP status alone, which an event has not.
BY_STATUS_ONLY = {
    *(("filtered", "stepfun"), ("too-long", "gateway"), ("too-long", "groq")),
    *(("misconfigured", "404-nginx"), ("rejected", "fastapi"), ("passing", "zhipu-concurrency")),
    *(("passing", "dashscope-tokens-per-minute"), ("rejected", "zhipu")),
}
IN_EVENTS = [refusal for refusal in REFUSALS if refusal not in BY_STATUS_ONLY]


def kind_heard(heard: Heard) -> type[Exception]:
    assert isinstance(heard.error, UpstreamFailed)
    return type(heard.error)


@pytest.mark.parametrize(("kind", "vendor"), REFUSALS)
def test_what_a_vendor_refuses_is_named_by_its_meaning(
    kind: str, vendor: str, fake: Upstream
) -> None:
    heard = ask(model(fake.url), scenario(vendors.name_of(kind, vendor)))

    assert (list(heard), kind_heard(heard)) == ([], EXPECTED[kind])
    assert heard.error
    assert heard.error.retryable == (kind == "passing")  # type: ignore[attr-defined]
    if kind == "misconfigured":
        assert heard.error.context["trouble"] == int(vendor[:3])  # type: ignore[attr-defined]


@pytest.mark.parametrize(("kind", "vendor"), IN_EVENTS)
def test_inside_a_stream_it_has_the_same_name(kind: str, vendor: str, fake: Upstream) -> None:
    first = ask(model(fake.url), scenario(vendors.name_of(kind, vendor, "first")))
    later = ask(model(fake.url), scenario(vendors.name_of(kind, vendor, "later")))

    assert (list(first), kind_heard(first)) == ([], EXPECTED[kind])
    assert (list(later), kind_heard(later)) == ([Delta(PIECES[0])], EXPECTED[kind])


def test_what_no_repetition_helps_has_no_time_for_one(fake: Upstream) -> None:
    heard = ask(model(fake.url), scenario("misconfigured-with-retry-after"))

    assert kind_heard(heard) is UpstreamMisconfigured
    assert heard.error.headers == {}  # type: ignore[union-attr]


def test_a_user_who_writes_of_keys_raises_no_alarm(fake: Upstream) -> None:
    """The vendor quotes the question, so its text proves nothing about our key."""
    question = [{"role": "user", "content": "invalid api key: what is that? scenario: quoting"}]

    heard = ask(model(fake.url), question)

    assert kind_heard(heard) is UpstreamRejected
