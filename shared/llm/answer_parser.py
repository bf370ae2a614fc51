"""Parser of one upstream answer: bytes in, events out, in any format. Does no I/O."""

from collections.abc import Iterator
from typing import Any

from shared.errors import UpstreamFailed
from shared.llm import chunks, sse
from shared.llm.events import Event, Finish, Output
from shared.llm.refusals import Redact, complaint_in, complaint_of_body, refusal

MOST_TEXT_CHARACTERS = 2 * 1024 * 1024
MOST_WHOLE_BYTES = 8 * 1024 * 1024  # JSON may spend 6 bytes on a character
_BEFORE_CONTENT = b"\xef\xbb\xbf \t\r\n"


class AnswerParser:
    """Feed it every chunk, then call `end` once; the last event is exactly one Finish.

    The first byte decides the format, because content types are unreliable: `{` is a
    whole completion or an error in JSON, `<` is an error page, and anything else is a
    stream of events. A stream whose first line only looks like JSON is read as a
    stream when it has ended.

    An answer is complete when `[DONE]` or a finish reason was read. An answer that
    ends without either was cut off, even if the connection closed normally: without
    chunked encoding, closing is the only way to end a body.
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
        """Raises: UpstreamFailed or a subclass, after the events before the failure."""
        if not self._opened:
            chunk = self._open(chunk)
        if self._whole is not None:
            self._whole += chunk
            if len(self._whole) > MOST_WHOLE_BYTES:
                raise UpstreamFailed(reason="a body over 8 MiB")
            return
        yield from self._read(self._events.feed(chunk))

    def end(self) -> Iterator[Event]:
        """Raises: UpstreamFailed: the answer was empty, cut off, or not an answer."""
        if self._whole is not None:
            yield from self._read_whole(bytes(self._whole))
        yield from self._read(self._events.end())
        if not self._reason and not self._characters:
            raise UpstreamFailed(reason="empty")
        if not self.complete:
            raise UpstreamFailed(reason="cut")
        yield Finish(self._reason or "stop")

    def _open(self, chunk: bytes) -> bytes:
        """Drop a byte order mark and blank lines, which some upstreams send as keep-alive."""
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
            if isinstance(event, Output):
                self._count(event.text)
            yield event

    def _count(self, text: str) -> None:
        self._characters += len(text)
        if self._characters > MOST_TEXT_CHARACTERS:
            raise UpstreamFailed(reason="an answer over 2 Mi characters")
