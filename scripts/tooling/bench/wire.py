"""A proxy to a MySQL server that records the statements of its clients and delays both ways.

It reads the wire protocol (MySQL manual, "Protocol::Packet"), so it needs connections without
TLS.
"""

import asyncio
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

_HEAD_BYTES = 4
_LONGEST_PACKET = 0xFFFFFF
_QUERY, _QUIT = 3, 1
_STRING = r"'(?:[^'\\]|\\.|'')*'"
_STATEMENT = re.compile(rf"(?:{_STRING}|[^';])+", re.DOTALL)


@dataclass
class Wire:
    """`trips` holds the text of each command; `delay_seconds` is half of a round trip."""

    port: int = 0
    delay_seconds: float = 0
    trips: list[str] = field(default_factory=list)


def statements(trip: str) -> list[str]:
    """The statements of one command."""
    return [found for found in _STATEMENT.findall(trip) if found.strip()]


def shortened(statement: str) -> str:
    """A statement in one line, with its strings replaced by ''."""
    return " ".join(re.sub(_STRING, "''", statement, flags=re.DOTALL).split())


class _Commands:
    """Cuts the bytes of one client into packets. A command begins with sequence number 0."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._unread = bytearray()
        self._is_continued = False

    def feed(self, data: bytes) -> None:
        self._unread += data
        while len(self._unread) >= _HEAD_BYTES:
            length = int.from_bytes(self._unread[:3], "little")
            end = _HEAD_BYTES + length
            if len(self._unread) < end:
                return
            self._take(self._unread[3], bytes(self._unread[_HEAD_BYTES:end]))
            self._is_continued = length == _LONGEST_PACKET
            del self._unread[:end]

    def _take(self, number: int, payload: bytes) -> None:
        if self._is_continued:
            self._wire.trips[-1] += payload.decode(errors="replace")
        elif number == 0 and payload[0] != _QUIT:
            text = payload[1:].decode(errors="replace")
            self._wire.trips.append(text if payload[0] == _QUERY else f"command {payload[0]}")


class _End(asyncio.Protocol):
    """One end of a connection; what it receives goes to the other end after the delay."""

    def __init__(self, wire: Wire, commands: _Commands | None = None) -> None:
        self._wire = wire
        self._commands = commands
        self.other: asyncio.Transport | None = None
        self._held: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: asyncio.Transport = transport  # type: ignore[assignment]  # of TCP

    def data_received(self, data: bytes) -> None:
        if self._commands:
            self._commands.feed(data)
        asyncio.get_running_loop().call_later(self._wire.delay_seconds, self._pass, data)

    def _pass(self, data: bytes) -> None:
        if self.other is None:
            self._held.append(data)
        else:
            self.other.write(data)

    def join(self, other: asyncio.Transport) -> None:
        self.other = other
        other.writelines(self._held)

    def connection_lost(self, _: Exception | None) -> None:
        if self.other:
            self.other.close()


class _Client(_End):
    """A client's end, which opens the connection to the server."""

    def __init__(self, wire: Wire, host: str, port: int) -> None:
        super().__init__(wire, _Commands(wire))
        self._target = host, port

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._joining = asyncio.get_running_loop().create_task(self._join())

    async def _join(self) -> None:
        loop = asyncio.get_running_loop()
        with suppress(OSError):
            server, end = await loop.create_connection(lambda: _End(self._wire), *self._target)
            end.join(self.transport)
            self.join(server)
            return
        self.transport.close()


@contextmanager
def recorded(host: str, port: int) -> Iterator[Wire]:
    """Yield the wire of a proxy to this server, which runs in a thread of its own."""
    wire, loop = Wire(), asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    starting = loop.create_server(lambda: _Client(wire, host, port), "127.0.0.1", 0)
    server = asyncio.run_coroutine_threadsafe(starting, loop).result()
    wire.port = server.sockets[0].getsockname()[1]
    try:
        yield wire
    finally:
        loop.call_soon_threadsafe(server.close)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
