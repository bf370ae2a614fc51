"""An httpx transport on asyncio and httptools, for hundreds of streams at once."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from itertools import zip_longest
from ssl import SSLContext

import httpx

from shared.llm.addresses import is_public
from shared.llm.connection import Connection, Origin

_PORTS = {"http": 80, "https": 443}
_NEXT_ADDRESS_SECONDS = 0.25  # RFC 8305, 5, "Connection Attempt Delay"


class NotPublic(httpx.ConnectError):
    """The host is, or resolves to, an address that is not public."""


class Transport(httpx.AsyncBaseTransport):
    """Speaks HTTP/1.1 to any origin, and keeps some connections for the next request.

    It replaces httpx's own, whose pool scans every connection whenever one opens or
    closes: at 200 streams that takes most of the processor's time. Of httpx's timeouts
    it implements `connect`, for the TCP connection with its TLS handshake, and `read`,
    for each silence after the first bytes of the body; the caller limits all else.

    A request is sent twice only if a kept connection closed before any byte of an
    answer: an upstream may close an idle connection just as the next request is written.
    A request with the extension `public_only` connects only to the resolved addresses
    that were checked, even if the name resolves differently a moment later.
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
        kept = self._take(origin)
        if kept:
            try:
                return await self._exchange(kept, message, request)
            except (httpx.ReadError, httpx.RemoteProtocolError):
                if kept.has_received:
                    raise
        return await self._exchange(await self._connected(origin, request), message, request)

    async def _exchange(
        self, connection: Connection, message: bytes, request: httpx.Request
    ) -> httpx.Response:
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

    def give_back(self, connection: Connection) -> None:
        """Keep the connection if its response was read to the end and the pool has room."""
        self._drop_stale()
        if len(self._kept) < self._most_kept and connection.renew():
            self._kept.append(connection)
        else:
            connection.close()

    def _take(self, origin: Origin) -> Connection | None:
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

    async def _connected(self, origin: Origin, request: httpx.Request) -> Connection:
        try:
            return await asyncio.wait_for(self._opened(origin), _timeout(request, "connect"))
        except asyncio.TimeoutError as error:
            raise httpx.ConnectTimeout(str(error)) from error
        except OSError as error:
            raise httpx.ConnectError(str(error)) from error

    async def _opened(self, origin: Origin) -> Connection:
        """Connect to the origin's host, at any of its addresses.

        Raises: OSError; NotPublic: one of the addresses is not public, and all must be.
        """
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(origin.host, origin.port, type=socket.SOCK_STREAM)
        addresses = _alternating((family, str(address[0])) for family, *_, address in found)
        if origin.public_only and not all(map(is_public, addresses)):
            raise NotPublic("not public")
        return await self._opened_first(origin, addresses)

    async def _opened_first(self, origin: Origin, addresses: Sequence[str]) -> Connection:
        """Try each address a moment after the one before it; the first connection wins.

        This is RFC 8305 ("Happy Eyeballs"). asyncio's own loop has it as an argument of
        create_connection; uvloop's does not.
        """
        waiting, failure = list(addresses), OSError("no address")
        attempts: set[asyncio.Task[Connection]] = set()
        try:
            while waiting or attempts:
                if waiting:
                    attempts.add(asyncio.create_task(self._opened_at(origin, waiting.pop(0))))
                done, _ = await asyncio.wait(
                    attempts,
                    timeout=_NEXT_ADDRESS_SECONDS if waiting else None,
                    return_when=asyncio.FIRST_COMPLETED,
                )
                for attempt in done:
                    attempts.discard(attempt)
                    error = attempt.exception()
                    if error is None:
                        return attempt.result()
                    if not isinstance(error, OSError):
                        raise error
                    failure = error
        finally:
            for attempt in attempts:
                _abandon(attempt)
        raise failure

    async def _opened_at(self, origin: Origin, address: str) -> Connection:
        is_tls = origin.scheme == "https"
        _, connection = await asyncio.get_running_loop().create_connection(
            lambda: Connection(origin),
            address,
            origin.port,
            ssl=self._tls if is_tls else None,
            server_hostname=origin.host if is_tls else None,
        )
        return connection


def _alternating(found: Iterable[tuple[int, str]]) -> list[str]:
    """Each address once, those of IPv6 and IPv4 in turn, beginning with the first one's family."""
    families: dict[int, dict[str, None]] = {}
    for family, address in found:
        families.setdefault(family, {})[address] = None
    turns = zip_longest(*families.values())
    return [address for turn in turns for address in turn if address]


def _abandon(attempt: "asyncio.Task[Connection]") -> None:
    """Cancel an attempt to connect, or close the connection that it has made."""

    def close(ended: "asyncio.Task[Connection]") -> None:
        if not ended.cancelled() and not ended.exception():
            ended.result().close()

    attempt.add_done_callback(close)
    attempt.cancel()


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
    def __init__(self, transport: Transport, connection: Connection) -> None:
        self._transport = transport
        self._connection: Connection | None = connection

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while self._connection and (chunk := await self._connection.read()):
            yield chunk

    async def aclose(self) -> None:
        connection, self._connection = self._connection, None
        if connection:
            self._transport.give_back(connection)
