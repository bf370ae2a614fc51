"""One HTTP/1.1 connection to an upstream: requests out, parsed responses back."""

import asyncio
import select
import time
from typing import NamedTuple, cast

import httptools
import httpx

_MOST_BUFFERED_BYTES = 64 * 1024
_MOST_UNPRODUCTIVE_BYTES = 64 * 1024  # heads are a few KB, and a chunk is framed by a dozen bytes

Header = tuple[bytes, bytes]


class Origin(NamedTuple):
    """`public_only`: connections may go to public addresses only."""

    scheme: str
    host: str
    port: int
    public_only: bool


class _ResponseParser:
    """The state of one response, filled by httptools through the methods named `on_`."""

    def __init__(self) -> None:
        self.parser = httptools.HttpResponseParser(self)
        self.headers: list[Header] = []
        self.head_complete = False
        self.body = bytearray()
        self.complete = False
        self.keeps_open = True
        self._delimited = False

    @property
    def _is_interim(self) -> bool:
        """Whether this is an interim response, such as 103, before the final one."""
        return self.parser.get_status_code() < 200

    @property
    def progress(self) -> tuple[bool, int]:
        """A value that changes when the head or a part of the body has arrived."""
        return self.head_complete, len(self.body)

    def on_header(self, name: bytes, value: bytes) -> None:
        if self.head_complete:  # a trailer, which is ignored
            return
        self.headers.append((name, value))
        self._delimited |= name.lower() in (b"content-length", b"transfer-encoding")
        self.keeps_open &= name.lower() != b"connection" or b"close" not in value.lower()

    def on_headers_complete(self) -> None:
        if self._is_interim:
            self.headers.clear()
        else:
            self.head_complete = True

    def on_body(self, data: bytes) -> None:
        self.body += data

    def on_message_complete(self) -> None:
        self.complete = self.head_complete

    def on_end(self) -> None:
        """The connection was closed. Raises: httpx.RemoteProtocolError: too early."""
        if not self.complete and (not self.head_complete or self._delimited):
            raise httpx.RemoteProtocolError("closed before the answer was complete")
        self.complete, self.keeps_open = True, False


class Connection(asyncio.Protocol):
    """A connection for one exchange after another, parsing bytes as they arrive.

    `has_received`: whether a byte has arrived since the last request was sent.
    """

    def __init__(self, origin: Origin) -> None:
        self.origin = origin
        self.idle_since = 0.0
        self.has_received = False
        self._response: _ResponseParser | None = None
        self._unproductive_bytes = 0
        self._failure: Exception | None = None
        self._paused = False
        self._loop = asyncio.get_running_loop()
        self._reader: asyncio.Future[None] | None = None
        self._waiting_since = 0.0
        self._most_silent_seconds: float | None = None
        self._alarm: asyncio.TimerHandle | None = None

    @property
    def was_closed(self) -> bool:
        """Whether the peer has closed; polls the socket, because the loop may not know it yet."""
        if self._transport.is_closing():
            return True
        poll = select.poll()
        poll.register(self._transport.get_extra_info("socket"), select.POLLIN)
        return bool(poll.poll(0))

    def send(self, message: bytes, *, most_silent_seconds: float | None) -> None:
        self._most_silent_seconds = most_silent_seconds
        self._response, self._unproductive_bytes = _ResponseParser(), 0
        self.has_received = False
        self._transport.write(message)

    async def head(self) -> tuple[int, list[Header]]:
        response = self._current()
        while not response.head_complete:
            await self._more()
        return response.parser.get_status_code(), response.headers

    async def read(self) -> bytes:
        """All bytes since the last call; empty at the end."""
        response = self._current()
        while not response.body and not response.complete:
            await self._more()
        chunk = bytes(response.body)
        response.body.clear()
        if self._alarm is None and self._most_silent_seconds:
            self._alarm = self._loop.call_later(self._most_silent_seconds, self._check_silence)
        if self._paused:
            self._paused = False
            self._transport.resume_reading()
        return chunk

    def renew(self) -> bool:
        """Prepare for another exchange; return whether that is possible."""
        response = self._current()
        current = response.parser.get_http_version() == "1.1"
        if (
            not (response.complete and response.keeps_open and current)
            or self._transport.is_closing()
        ):
            return False
        self._response = None
        self._end_alarm()
        self.idle_since = time.monotonic()
        return True

    def close(self) -> None:
        """Close at once, without reading the rest or a TLS close_notify."""
        self._end_alarm()
        self._transport.abort()

    def _current(self) -> _ResponseParser:
        if self._response is None:
            raise RuntimeError("nothing was asked on this connection")
        return self._response

    async def _more(self) -> None:
        if self._failure:
            raise self._failure
        self._reader, self._waiting_since = self._loop.create_future(), self._loop.time()
        try:
            await self._reader
        finally:
            self._reader = None

    def _check_silence(self) -> None:
        """Fail after a silence; otherwise postpone the alarm. One timer serves the whole response.

        The time counts only while the reader waits: a slow reader is not the peer's silence.
        """
        now, limit = self._loop.time(), self._most_silent_seconds or 0
        since = self._waiting_since if self._reader else now
        if now - since < limit:
            self._alarm = self._loop.call_at(since + limit, self._check_silence)
            return
        self._failure = self._failure or httpx.ReadTimeout("")
        self._wake()

    def _end_alarm(self) -> None:
        if self._alarm:
            self._alarm.cancel()
            self._alarm = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Parse the bytes. Bytes before a request or after a response end the connection."""
        self.has_received = True
        response = self._response
        if response is None or response.complete:
            self._failure = self._failure or httpx.RemoteProtocolError("an answer to no question")
            self._transport.abort()
            return
        before = response.progress
        try:
            response.parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._failure = httpx.RemoteProtocolError(type(error).__name__)
        self._bound(data, is_unproductive=response.progress == before)
        if len(response.body) > _MOST_BUFFERED_BYTES and not self._paused:
            self._paused = True
            self._transport.pause_reading()
        self._wake()

    def _bound(self, data: bytes, *, is_unproductive: bool) -> None:
        """Limit bytes without progress: the parser buffers a header of any length."""
        self._unproductive_bytes = self._unproductive_bytes + len(data) if is_unproductive else 0
        if self._unproductive_bytes > _MOST_UNPRODUCTIVE_BYTES:
            self._failure = self._failure or httpx.RemoteProtocolError("neither head nor body")
            self._transport.abort()

    def eof_received(self) -> None:
        if self._response:
            try:
                self._response.on_end()
            except httpx.RemoteProtocolError as error:
                self._failure = self._failure or error
            self._wake()

    def connection_lost(self, error: Exception | None) -> None:
        self._failure = self._failure or httpx.ReadError(str(error or "closed"))
        self._wake()

    def _wake(self) -> None:
        if self._reader and not self._reader.done():
            self._reader.set_result(None)
