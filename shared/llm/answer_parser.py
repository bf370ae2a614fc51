"""Parser of one upstream answer: bytes in, events out, in any format. Does no I/O."""

from collections.abc import Iterator, Sequence
from typing import Any

from shared.errors import UpstreamFailed
from shared.llm import chunks, sse
from shared.llm.events import Event, Finish, Output, shortened
from shared.llm.redaction import Redaction
from shared.llm.refusals import complaint_in, complaint_of_body, refusal
from shared.llm.tool_calls import ToolCallReader

MOST_CHARACTERS = 512 * 1024  # of one answer, with its reasoning; a book has that many
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
    chunked encoding, closing is the only way to end a body. An answer that grows over
    MOST_CHARACTERS ends there, with the finish reason `length`.
    """

    def __init__(self, redaction: Redaction) -> None:
        self.done = False
        self._redaction = redaction
        self._reason = ""
        self._characters = 0
        self._events = sse.Decoder()
        self._calls = ToolCallReader()
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
            yield from self._accept(document, self._events_in(document, "message", "delta"))
            self.done = True
        elif text.startswith("<") and "\ndata:" not in text:
            raise refusal(complaint_of_body(text), self._redaction)
        else:
            yield from self._read(self._events.feed(body))

    def _read(self, payloads: Iterator[str]) -> Iterator[Event]:
        for payload in payloads:
            if self.done:
                return
            if payload.strip() == "[DONE]":
                self.done = True
            elif (document := chunks.parse(payload)) is not None:
                yield from self._accept(document, self._events_in(document, *self._parts))

    @property
    def _parts(self) -> Sequence[chunks.Part]:
        """A whole completion may be the only event; after deltas it would repeat them."""
        return ("delta",) if self.has_spoken else ("delta", "message")

    def _events_in(self, document: dict[str, Any], *parts: chunks.Part) -> Iterator[Event]:
        return chunks.events_in(document, self._calls, *parts)

    def _accept(self, document: dict[str, Any], events: Iterator[Event]) -> Iterator[Event]:
        complaint = complaint_in(document)
        if complaint:
            raise refusal(complaint, self._redaction)
        for event in events:
            if isinstance(event, Finish):
                self._reason = event.reason
                continue
            if isinstance(event, Output):
                event = self._bounded(event)
            yield event
            if self.done:
                return

    def _bounded(self, event: Output) -> Output:
        left = MOST_CHARACTERS - self._characters
        if len(event.text) > left:
            event = shortened(event, left)
            self.done, self._reason = True, "length"
        self._characters += len(event.text)
        return event
