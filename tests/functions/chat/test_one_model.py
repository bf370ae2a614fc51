"""An answer comes from one upstream: once a part of it was delivered, no other is called."""

import json
from collections.abc import Iterator

import pytest

from tests.fakes import upstream
from tests.fakes.upstream import PIECES, THOUGHT, Upstream
from tests.functions.chat.chatting import ask, hear
from tests.web import WebFunction, serving


@pytest.fixture(scope="module")
def fakes() -> Iterator[tuple[Upstream, Upstream]]:
    with upstream.running() as one, upstream.running() as other:
        yield one, other


@pytest.fixture(scope="module")
def two_upstreams(
    variables: dict[str, str], fakes: tuple[Upstream, Upstream]
) -> Iterator[WebFunction]:
    """Chat with two upstreams for its model, and short time limits."""
    listed = [{"name": f"u{n}", "url": one.url, "key": f"k{n}"} for n, one in enumerate(fakes)]
    limits = {f"UPSTREAM_{name}_SECONDS": "1" for name in ("FIRST_BYTE", "IDLE")}
    given = {**variables, **limits, "UPSTREAMS": json.dumps(listed)}
    with serving("chat", **given) as web:
        yield web


@pytest.mark.parametrize(
    ("name", "received"),
    [
        ("error-after-reasoning", ("reasoning", THOUGHT)),
        ("stall-in-reasoning", ("reasoning", THOUGHT)),
        ("error-later", ("delta", PIECES[0])),
    ],
)
def test_after_a_part_was_delivered_no_other_upstream_is_called(
    name: str,
    received: tuple[str, str],
    two_upstreams: WebFunction,
    fakes: tuple[Upstream, Upstream],
) -> None:
    before = sum(len(one.requests) for one in fakes)
    heard = hear(two_upstreams, f"scenario: {name}")

    between = [(one.name, one.data["text"]) for one in heard.events[1:-1]]
    assert (between, heard.last.name) == ([received], "error")
    assert sum(len(one.requests) for one in fakes) == before + 1


def test_before_the_first_part_the_other_upstream_is_called(
    two_upstreams: WebFunction, fakes: tuple[Upstream, Upstream]
) -> None:
    """The tests above would prove nothing if there were no other upstream to call."""
    before = [len(one.requests) for one in fakes]
    assert ask(two_upstreams, "scenario: error-first").status == 502

    after = [len(one.requests) for one in fakes]
    assert after[0] > before[0]
    assert after[1] > before[1]
