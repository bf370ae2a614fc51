"""Decoding of streams: any split of the bytes gives the same events, or an UpstreamFailed error."""

import json
from collections.abc import Iterable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.config import Secret
from shared.errors import UpstreamFailed
from shared.llm.answer_parser import AnswerParser
from shared.llm.estimate import beginning, estimate_tokens
from shared.llm.events import Event
from shared.llm.redaction import Redaction
from shared.llm.sse import LONGEST_EVENT_BYTES, Decoder
from tests.fakes.upstream_scenarios import COUNTED, DONE, PLAIN, STOP, WORDS, completion, error

LINES = [
    *PLAIN,
    *[part.replace(b"\n", b"\r\n") for part in (*WORDS, STOP, COUNTED)],
    *[part.replace(b"\n", b"\r") for part in (*WORDS, STOP, DONE)],
    *(b"\n", b"\r", b"\r\n", b" ", b": ping\n", b"data:\n", b"data: 7\n\n", b"{", b"<p>"),
    *(b"\xef\xbb\xbf", b"\xff", "你".encode()[:2], b'data: {"error":"x"}\n\n'),
    *(completion({"content": "你好"}).encode(), error("no").encode()),
]
bodies = st.lists(st.sampled_from(LINES) | st.binary(max_size=20), max_size=12).map(b"".join)
cuts = st.lists(st.integers(0, 400), max_size=30)


def split(body: bytes, at: Iterable[int]) -> list[bytes]:
    edges = [0, *sorted(min(edge, len(body)) for edge in at), len(body)]
    return [body[start:stop] for start, stop in pairwise(edges)]


def read(chunks: Iterable[bytes]) -> tuple[list[Event], dict[str, object] | None]:
    answer, heard = AnswerParser(Redaction(Secret(""), (), logs_text=True)), list[Event]()
    try:
        for chunk in chunks:
            heard.extend(answer.feed(chunk))
            if answer.done:
                break
        heard.extend(answer.end())
    except UpstreamFailed as error:
        return heard, error.context
    return heard, None


@given(bodies, cuts)
def test_the_events_do_not_depend_on_how_the_bytes_are_split(body: bytes, at: list[int]) -> None:
    pieces = list(split(body, at))

    assert read(pieces) == read([body])


@given(bodies)
def test_the_events_are_the_same_byte_by_byte(body: bytes) -> None:
    assert read(split(body, range(len(body)))) == read([body])


@given(st.binary(max_size=400), cuts)
def test_no_bytes_raise_anything_but_an_upstream_failure(body: bytes, at: list[int]) -> None:
    heard, failure = read(split(b"data: " + body, at))

    assert heard or failure


NAMES = ["choices", "delta", "message", "content", "reasoning", "finish_reason", "index", "text"]
CACHED = ["prompt_tokens_details", "cached_tokens", "prompt_cache_hit_tokens"]
COUNTS = [*CACHED, "usage", "prompt_tokens", "completion_tokens", "error", "code", "status", "msg"]
documents = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*NAMES, *COUNTS]), inner, max_size=5)
    ),
    max_leaves=20,
)


@given(documents)
def test_no_document_raises_anything_but_an_upstream_failure(document: object) -> None:
    body = json.dumps(document).encode()

    for form in (body, b"data: " + body + b"\n\n", b'data: {"choices": [' + body + b"]}\n\n"):
        heard, failure = read([form])
        assert heard or failure


def fed(decoder: Decoder, *chunks: bytes) -> list[str]:
    return [data for chunk in chunks for data in decoder.feed(chunk)]


def decoded(*chunks: bytes) -> list[str]:
    decoder = Decoder()
    return [*fed(decoder, *chunks), *decoder.end()]


@pytest.mark.parametrize(
    ("stream", "events"),
    [
        (b"data: a\n\n", ["a"]),
        (b"data:a\n\ndata:  a\n\n", ["a", " a"]),
        (b"data: a\ndata: b\n\n", ["a\nb"]),
        (b"data\ndata: b\n\n", ["\nb"]),
        (b"data: a\r\rdata: b\r\n\r\n", ["a", "b"]),
        (b": data: a\n\nevent: data: b\n\n", []),
        (b"dat: a\n data: a\n\n", []),
        (b"data: a", ["a"]),
        (b"data: \xe4\xbd\n\n", ["\ufffd"]),
        (b"", []),
    ],
)
def test_the_decoder_follows_the_standard(stream: bytes, events: list[str]) -> None:
    assert decoded(stream) == events


@pytest.mark.parametrize(
    ("stream", "events"),
    [
        (b'data: {"a":1}\ndata: {"b":2}\n', ['{"a":1}', '{"b":2}']),
        (b"data: {}\ndata: [DONE]\n", ["{}", "[DONE]"]),
        (b'data: {"a":\ndata: {}\ndata: }\n\n', ['{"a":\n{}\n}']),
        (b'data: {"a":[{}\ndata: ,{}\ndata: ]}\n\n', ['{"a":[{}\n,{}\n]}']),
    ],
)
def test_an_object_ends_where_no_json_goes_on(stream: bytes, events: list[str]) -> None:
    """Each event is there as soon as its line is, not when the stream ends."""
    assert fed(Decoder(), stream) == events


@given(st.lists(st.sampled_from([b"\r", b"\n", b"data: a", b"data:b", b": c"]), max_size=20))
def test_the_decoder_does_not_care_where_the_bytes_are_split(parts: list[bytes]) -> None:
    stream = b"".join(parts)

    assert decoded(*split(stream, range(len(stream)))) == decoded(stream)


@pytest.mark.parametrize(
    "chunks",
    [
        [b"data: " + b"x" * LONGEST_EVENT_BYTES + b"\n\n"],
        [b":" + b"x" * LONGEST_EVENT_BYTES + b"\n"],
        [b"x" * 65536] * 17,
        [b"data: " + b"x" * 65536 + b"\n"] * 17,
    ],
    ids=[
        "one line at once",
        "one comment at once",
        "one line in pieces",
        "one event of many lines",
    ],
)
def test_an_event_over_a_mebibyte_is_refused(chunks: list[bytes]) -> None:
    with pytest.raises(UpstreamFailed):
        fed(Decoder(), *chunks)  # while it arrives, not when it has ended


def test_any_number_of_comments_is_bearable() -> None:
    assert decoded(*[b": " + b"x" * 1000 + b"\n"] * 3000, b"data: a\n\n") == ["a"]


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("", 0),
        ("你好，世界！", 6),
        ("The quick brown fox jumps over the lazy dog.", 11),
        ("a", 1),
        ("你好 world", 4),
        ("😀", 1),
    ],
)
def test_tokens_are_estimated_by_the_kind_of_character(text: str, tokens: int) -> None:
    assert estimate_tokens(text) == tokens


@pytest.mark.parametrize(
    ("text", "tokens", "expected"),
    [
        ("你好 world", 0, ""),
        ("你好 world", 1, "你"),
        ("你好 world", 3, "你好 wor"),
        ("你好 world", 4, "你好 world"),
        ("你好 world", -1, ""),
    ],
)
def test_the_beginning_of_a_text_has_at_most_so_many_tokens(
    text: str, tokens: int, expected: str
) -> None:
    assert beginning(text, tokens) == expected
