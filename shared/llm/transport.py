"""An httpx transport on asyncio and httptools, for hundreds of streams at once."""

import asyncio
import select
import socket
import time
from collections.abc import AsyncIterator
from ssl import SSLContext
from typing import NamedTuple, cast

import httptools
import httpx

from shared.llm.addresses import is_public

_MOST_BUFFERED_BYTES = 64 * 1024
_MOST_UNPRODUCTIVE_BYTES = 64 * 1024  # heads are a few KB, and a chunk is framed by a dozen bytes
_PORTS = {"http": 80, "https": 443}

Header = tuple[bytes, bytes]


class Origin(NamedTuple):
    """`public_only`: connections may go to public addresses only."""

    scheme: str
    host: str
    port: int
    public_only: bool


class NotPublic(httpx.ConnectError):
    """The host is, or resolves to, an address that is not public."""


class Transport(httpx.AsyncBaseTransport):
    """Speaks HTTP/1.1 to any origin, and keeps some connections for the next request.

    It replaces httpx's own, whose pool scans every connection whenever one opens or
    closes: at 200 streams that takes most of the processor's time. Of httpx's timeouts
    it implements `connect`, for the TCP connection with its TLS handshake, and `read`,
    for each silence after the first bytes of the body; the caller limits all else. No
    request is sent twice. A request with the extension `public_only` connects only to
    the resolved addresses that were checked, even if the name resolves differently
    a moment later.
    """

    def __init__(self, tls: SSLContext, *, most_kept: int, kept_seconds: float) -> None:
        self._tls = tls
        self._most_kept = most_kept
        self._kept_seconds = kept_seconds
        self._kept: list[Connection] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Raises: httpx.ConnectError, ConnectTimeout, ReadError and their like."""
        message = _message(request, await request.aread())
        origin = _origin(request)
        connection = self._take(origin) or await self._connected(origin, request)
        try:
            connection.send(message, most_silent_seconds=_timeout(request, "read"))
            status, headers = await connection.head()
        except BaseException:
            connection.close()
            raise
        return httpx.Response(status, headers=headers, stream=_Body(self, connection))

    async def aclose(self) -> None:
        for connection in self._kept:
            connection.close()
        self._kept.clear()
        await asyncio.sleep(0)  # the loop closes the sockets in its next step

    def give_back(self, connection: "Connection") -> None:
        """Keep the connection if its response was read to the end and the pool has room."""
        self._drop_stale()
        if len(self._kept) < self._most_kept and connection.renew():
            self._kept.append(connection)
        else:
            connection.close()

    def _take(self, origin: Origin) -> "Connection | None":
        """The idle connection used last, so that the others become stale and are closed."""
        self._drop_stale()
        for connection in reversed(self._kept):
            if connection.origin == origin:
                self._kept.remove(connection)
                if not connection.was_closed:
                    return connection
                connection.close()
        return None

    def _drop_stale(self) -> None:
        """Close connections idle for too long; the list is in the order of last use."""
        oldest = time.monotonic() - self._kept_seconds
        while self._kept and self._kept[0].idle_since < oldest:
            self._kept.pop(0).close()

    async def _connected(self, origin: Origin, request: httpx.Request) -> "Connection":
        opening = self._opened_in_public(origin) if origin.public_only else self._opened(origin)
        try:
            connection = await asyncio.wait_for(opening, _timeout(request, "connect"))
        except asyncio.TimeoutError as error:
            raise httpx.ConnectTimeout(str(error)) from error
        except OSError as error:
            raise httpx.ConnectError(str(error)) from error
        return connection

    async def _opened(self, origin: Origin, address: str = "") -> "Connection":
        """Connect to the origin's host, or to one address of it."""
        is_tls = origin.scheme == "https"
        _, connection = await asyncio.get_running_loop().create_connection(
            lambda: Connection(origin),
            address or origin.host,
            origin.port,
            ssl=self._tls if is_tls else None,
            server_hostname=origin.host if is_tls else None,
            happy_eyeballs_delay=0.25,
        )
        return connection

    async def _opened_in_public(self, origin: Origin) -> "Connection":
        """Try one address after another, after a check that all of them are public."""
        loop, failure = asyncio.get_running_loop(), OSError("no address")
        found = await loop.getaddrinfo(origin.host, origin.port, type=socket.SOCK_STREAM)
        addresses = dict.fromkeys(str(address[0]) for *_, address in sorted(found))
        if not all(map(is_public, addresses)):
            raise NotPublic("not public")
        for address in addresses:
            try:
                return await self._opened(origin, address)
            except OSError as error:
                failure = error
        raise failure


def _origin(request: httpx.Request) -> Origin:
    url = request.url
    if url.scheme not in _PORTS:
        raise httpx.UnsupportedProtocol(f"{url.scheme}:// is not http:// or https://")
    port, public_only = url.port or _PORTS[url.scheme], request.extensions.get("public_only")
    return Origin(url.scheme, url.host, port, bool(public_only))


def _timeout(request: httpx.Request, name: str) -> float | None:
    seconds: float | None = request.extensions.get("timeout", {}).get(name)
    return seconds


def _message(request: httpx.Request, content: bytes) -> bytes:
    """Raises: httpx.LocalProtocolError: a line break would begin another header."""
    lines = [b"%s %s HTTP/1.1" % (request.method.encode(), request.url.raw_path)]
    lines += [b"%s: %s" % header for header in request.headers.raw]
    if any(b"\r" in line or b"\n" in line for line in lines):
        raise httpx.LocalProtocolError("a line break in the head of a request")
    return b"\r\n".join([*lines, b"", content])


class _Body(httpx.AsyncByteStream):
    def __init__(self, transport: Transport, connection: "Connection") -> None:
        self._transport = transport
        self._connection: Connection | None = connection

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while self._connection and (chunk := await self._connection.read()):
            yield chunk

    async def aclose(self) -> None:
        connection, self._connection = self._connection, None
        if connection:
            self._transport.give_back(connection)


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
    """A connection for one exchange after another, parsing bytes as they arrive."""

    def __init__(self, origin: Origin) -> None:
        self.origin = origin
        self.idle_since = 0.0
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
