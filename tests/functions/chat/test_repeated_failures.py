"""A replayed failure equals the first one: in each API, whole and streamed."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from shared.errors import UpstreamBusy, UpstreamFailed, UpstreamTimeout
from tests.fakes.upstream import PIECES, Upstream
from tests.functions.chat.chatting import stop, watch
from tests.functions.conftest import Pair, SignUp
from tests.people import Person, grant
from tests.web import WebFunction

# Refused before the first word: the key is given back, and the upstream is asked again.
AT_ONCE = {
    "status-502": UpstreamFailed,
    "status-429": UpstreamBusy,
    "status-504": UpstreamTimeout,
    "error-first": UpstreamFailed,
}
# After the first word: paid for, kept, and told from what is kept.
LATER = {
    "error-later": UpstreamFailed,
    "busy-later": UpstreamBusy,
    "late-later": UpstreamTimeout,
    "closed-inside-a-chunk": UpstreamFailed,
}


@dataclass(frozen=True)
class Api:
    path: str
    asked: Callable[[str], dict[str, Any]]
    failure: Callable[[Any], tuple[str, str]]
    """The name and the message of the failure in a document."""


APIS = {
    "chat": Api(
        "/api/chat",
        lambda text: {"message": text},
        lambda told: (told["error"], told["message"]),
    ),
    "v1": Api(
        "/v1/chat/completions",
        lambda text: {"messages": [{"role": "user", "content": text}]},
        lambda told: (told["error"]["code"], told["error"]["message"]),
    ),
}
EVERY_API = pytest.mark.parametrize("api", APIS.values(), ids=APIS)
WHOLE_OR_STREAMED = pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])


@pytest.fixture
def anna(join: SignUp) -> Person:
    anna = join()
    grant(anna, 10_000)
    return anna


@dataclass(frozen=True)
class Received:
    """Everything that a client receives, without the ids of the requests."""

    status: int
    headers: dict[str, str]
    text: str
    last: Any
    message_id: str

    @classmethod
    def of(cls, answer: httpx.Response) -> "Received":
        named = {name: answer.headers.get(name, "") for name in ("retry-after", "x-should-retry")}
        if not answer.headers["content-type"].startswith("text/event-stream"):
            document = answer.json()
            document.pop("request_id", None)
            return cls(answer.status_code, named, "", document, "")
        first, *between, last = events_in(answer.content)
        text = "".join(text_in(one) for one in between)
        return cls(answer.status_code, named, text, last, message_id_in(first))


def events_in(body: bytes) -> Iterator[Any]:
    for line in body.splitlines():
        if line.startswith(b"data: {"):
            yield json.loads(line.removeprefix(b"data: "))


def text_in(document: dict[str, Any]) -> str:
    if "choices" in document:
        return str(document["choices"][0]["delta"].get("content", ""))
    return str(document.get("text", ""))


def message_id_in(first: dict[str, Any]) -> str:
    return str(first.get("message_id") or first["id"].removeprefix("chatcmpl-"))


def asking(
    web: WebFunction, api: Api, person: Person, name: str, *, streamed: bool
) -> AbstractContextManager[httpx.Response]:
    """Open an answer as a context; repetitions have the same idempotency key."""
    return web.client.stream(
        "POST",
        api.path,
        json={**api.asked(f"scenario: {name}"), "stream": streamed},
        headers={"Authorization": f"Bearer {person.token}", "Idempotency-Key": name},
    )


def ask(web: WebFunction, api: Api, person: Person, name: str, *, streamed: bool) -> Received:
    with asking(web, api, person, name, streamed=streamed) as answer:
        answer.read()
        return Received.of(answer)


def of_this_attempt(told: Received) -> Received:
    """The answer without values that differ between two attempts, such as the quota."""
    document = {k: v for k, v in told.last.items() if k not in {"latency_ms", "quota"}}
    return Received(told.status, told.headers, told.text, document, "")


@WHOLE_OR_STREAMED
@EVERY_API
def test_a_refusal_is_the_same_when_it_is_tried_again(
    api: Api, streamed: bool, pair: Pair, anna: Person
) -> None:
    """All at once, because each upstream call is repeated after a pause."""

    def ask_all(web: WebFunction) -> list[Received]:
        with ThreadPoolExecutor(len(AT_ONCE)) as pool:
            return list(
                pool.map(lambda name: ask(web, api, anna, name, streamed=streamed), AT_ONCE)
            )

    first, again = (ask_all(web) for web in pair)

    assert [of_this_attempt(one) for one in first] == [of_this_attempt(one) for one in again]
    assert [api.failure(one.last) for one in first] == [
        (expected.name, expected.en) for expected in AT_ONCE.values()
    ]
    is_in_an_event = streamed and api is APIS["chat"]
    assert [one.status for one in first] == [
        200 if is_in_an_event else expected.status for expected in AT_ONCE.values()
    ]


@pytest.mark.parametrize("name", LATER)
@WHOLE_OR_STREAMED
@EVERY_API
def test_what_broke_off_is_told_again_as_it_was_told_first(
    api: Api, streamed: bool, name: str, pair: Pair, anna: Person, fake: Upstream
) -> None:
    first, again = (ask(web, api, anna, name, streamed=streamed) for web in pair)

    assert first == again
    if streamed:
        assert (first.text, api.failure(first.last)) == (
            PIECES[0],
            (LATER[name].name, LATER[name].en),
        )
    assert len(fake.requests) == 1


@pytest.mark.parametrize("name", LATER)
@EVERY_API
def test_who_follows_an_answer_is_told_of_the_same_failure(
    api: Api, name: str, pair: Pair, anna: Person
) -> None:
    first = ask(pair[0], api, anna, name, streamed=True)
    with watch(pair[1], first.message_id, token=anna.token) as answer:
        answer.read()
        followed = Received.of(answer)

    assert APIS["chat"].failure(followed.last) == api.failure(first.last)
    assert followed.last["retryable"] is True


@pytest.mark.parametrize(
    ("api", "name"),
    [(APIS["chat"], "silence"), (APIS["chat"], "stall"), (APIS["v1"], "stall")],
    ids=["chat-silence", "chat-stall", "v1-stall"],
)
def test_who_joins_while_it_runs_is_told_of_the_same_failure(
    api: Api, name: str, pair: Pair, anna: Person
) -> None:
    with asking(pair[0], api, anna, name, streamed=True) as answer:
        heard = b""
        pieces = answer.iter_raw()
        while b"\n\n" not in heard:
            heard += next(pieces)
        with (
            asking(pair[1], api, anna, name, streamed=True) as duplicate,
            watch(pair[1], message_id_in(next(events_in(heard))), token=anna.token) as joined,
        ):
            heard += b"".join(pieces)
            duplicate.read()
            joined.read()
    *_, last = events_in(heard)

    assert Received.of(duplicate).last == last
    assert api.failure(last) == (UpstreamTimeout.name, UpstreamTimeout.en)
    assert APIS["chat"].failure(Received.of(joined).last) == api.failure(last)


@EVERY_API
def test_what_was_stopped_is_no_failure_the_second_time_either(
    api: Api, pair: Pair, anna: Person
) -> None:
    with asking(pair[0], api, anna, "endless", streamed=True) as answer:
        heard = b""
        for piece in answer.iter_raw():
            is_first_word = "滴答".encode() in piece and "滴答".encode() not in heard
            heard += piece
            if is_first_word:
                stop(pair[1], message_id_in(next(events_in(heard))), token=anna.token)
    again = ask(pair[1], api, anna, "endless", streamed=True)

    assert again.last == list(events_in(heard))[-1]
    assert "error" not in again.last
