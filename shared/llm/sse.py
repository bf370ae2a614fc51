"""Decoder of server-sent events: bytes in, the data of each event out. Does no I/O."""

from collections.abc import Iterator, Sequence

from shared.errors import UpstreamFailed

LONGEST_EVENT_BYTES = 1024 * 1024
_LINE_FEED = 0x0A


class Decoder:
    """Follows the HTML standard ("Server-sent events"), however the bytes are split.

    Lines are cut as bytes and decoded whole, so a character split between two
    chunks stays whole. Fields other than `data` are ignored, and so are lines without
    a field. Three deviations: an event without its blank line at the end of the stream
    is returned; a line or event over 1 MiB is refused; and some upstreams leave out all
    blank lines, so after a line that ends a JSON object, one that begins another or is
    `[DONE]` begins an event, and from then on each line is an event. The caller drops a
    byte order mark.

    Raises:
        UpstreamFailed: after the events before the oversized one.
    """

    def __init__(self) -> None:
        self._line = bytearray()
        self._data: list[bytes] = []
        self._data_bytes = 0
        self._after_carriage_return = False
        self._each_line = False

    def feed(self, chunk: bytes) -> Iterator[str]:
        if not chunk:
            return
        if self._after_carriage_return and chunk[0] == _LINE_FEED:
            chunk = chunk[1:]
        self._after_carriage_return = chunk.endswith(b"\r")
        for line in chunk.splitlines(keepends=True):
            if line[-1] not in b"\r\n":
                self._hold(line)
            else:
                yield from self._end_line(line.rstrip(b"\r\n"))

    def end(self) -> Iterator[str]:
        yield from self._end_line(b"")
        yield from self._end_event()

    def _hold(self, part: bytes) -> None:
        self._line += part
        _refuse_over_limit(len(self._line))

    def _end_line(self, rest: bytes) -> Sequence[str]:
        """The events that the line ends."""
        if self._line:
            rest = bytes(self._line + rest)
            self._line.clear()
        _refuse_over_limit(len(rest))
        if not rest:
            return self._end_event()
        if rest.startswith(b"data:"):
            return self._take(rest[5:].removeprefix(b" "))
        if rest == b"data":
            self._add(b"")
        return ()

    def _take(self, value: bytes) -> Sequence[str]:
        """Nothing in JSON goes on with `{` or `[` after a `}`, so such lines are two events."""
        last = self._data[-1].rstrip() if self._data else b""
        is_another = last.endswith(b"}") and value.startswith((b"{", b"["))
        ended = self._end_event() if is_another else ()
        self._each_line |= is_another
        self._add(value)
        return (*ended, *self._end_event()) if self._each_line else ended

    def _add(self, value: bytes) -> None:
        self._data.append(value)
        self._data_bytes += len(value) + 1
        _refuse_over_limit(self._data_bytes)

    def _end_event(self) -> Sequence[str]:
        if not self._data:
            return ()
        data = b"\n".join(self._data).decode("utf-8", "replace")
        self._data.clear()
        self._data_bytes = 0
        return (data,)


def _refuse_over_limit(size_bytes: int) -> None:
    if size_bytes > LONGEST_EVENT_BYTES:
        raise UpstreamFailed(reason="an event over 1 MiB")
