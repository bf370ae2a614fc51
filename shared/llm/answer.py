"""The bytes of one upstream answer, whatever shape it took, as events. Does no I/O."""

from collections.abc import Iterator
from typing import Any

from shared.errors import UpstreamFailed
from shared.llm import chunks, sse
from shared.llm.events import Delta, Event, Finish, Reasoning
from shared.llm.refusals import Redact, complaint_in, complaint_of_body, refusal

MOST_TEXT_CHARACTERS = 2 * 1024 * 1024
MOST_WHOLE_BYTES = 8 * 1024 * 1024  # JSON may spend 6 bytes on a character
_BEFORE_CONTENT = b"\xef\xbb\xbf \t\r\n"


class Answer:
    """Feed it what arrives, then call `end` once; it gives exactly one Finish, the last event.

    The first byte decides what the answer is, because content types lie: `{` is
    a whole completion or a complaint in JSON, `<` is an error page, and all else
    is a stream of events. A stream whose first line merely looks like JSON is
    read as a stream when it has ended.

    An answer is complete when `[DONE]` or a finish reason was read. One that
    ends otherwise was cut, even if the connection closed politely: an upstream
    that answers without chunked encoding cannot close any other way.
    """

    def __init__(self, redact: Redact) -> None:
        self.done = False
        self._redact = redact
        self._reason = ""
        self._characters = 0
        self._events = sse.Decoder()
        self._opened = False
        self._whole: bytearray | None = None

    @property
    def complete(self) -> bool:
        return self.done or bool(self._reason)

    @property
    def has_spoken(self) -> bool:
        return self._characters > 0

    def feed(self, chunk: bytes) -> Iterator[Event]:
        """Raises: UpstreamFailed, or a kind of it, after the events before the failure."""
        if not self._opened:
            chunk = self._open(chunk)
        if self._whole is not None:
            self._whole += chunk
            if len(self._whole) > MOST_WHOLE_BYTES:
                raise UpstreamFailed(reason="a body over 8 MiB")
            return
        yield from self._read(self._events.feed(chunk))

    def end(self) -> Iterator[Event]:
        """Raises: UpstreamFailed when the answer was empty, cut, or no answer at all."""
        if self._whole is not None:
            yield from self._read_whole(bytes(self._whole))
        yield from self._read(self._events.end())
        if not self._reason and not self._characters:
            raise UpstreamFailed(reason="empty")
        if not self.complete:
            raise UpstreamFailed(reason="cut")
        yield Finish(self._reason or "stop")

    def _open(self, chunk: bytes) -> bytes:
        """Drop what may stand before the content; some send blank lines to stay alive."""
        chunk = chunk.lstrip(_BEFORE_CONTENT)
        self._opened = bool(chunk)
        if chunk.startswith((b"{", b"<")):
            self._whole = bytearray()
        return chunk

    def _read_whole(self, body: bytes) -> Iterator[Event]:
        text = body.decode("utf-8", "replace")
        document = chunks.parse(text)
        if document is not None:
            yield from self._accept(document, chunks.events_in(document, "message"))
            self.done = True
        elif text.startswith("<") and "\ndata:" not in text:
            raise refusal(complaint_of_body(text), self._redact)
        else:
            yield from self._read(self._events.feed(body))

    def _read(self, payloads: Iterator[str]) -> Iterator[Event]:
        for payload in payloads:
            if self.done:
                return
            if payload.strip() == "[DONE]":
                self.done = True
            elif (document := chunks.parse(payload)) is not None:
                yield from self._accept(document, chunks.events_in(document, "delta"))

    def _accept(self, document: dict[str, Any], events: Iterator[Event]) -> Iterator[Event]:
        complaint = complaint_in(document)
        if complaint:
            raise refusal(complaint, self._redact)
        for event in events:
            if isinstance(event, Finish):
                self._reason = event.reason
                continue
            if isinstance(event, (Delta, Reasoning)):
                self._count(event.text)
            yield event

    def _count(self, text: str) -> None:
        self._characters += len(text)
        if self._characters > MOST_TEXT_CHARACTERS:
            raise UpstreamFailed(reason="an answer over 2 Mi characters")
