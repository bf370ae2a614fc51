"""A TCP proxy that can refuse, stall or cut what passes through it."""

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from tests.patience import HANG_SECONDS

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


@dataclass(eq=False)
class LostReply:
    """A reply to lose: to `request`, on the first connection that has sent `after`.

    `request` may be sent together with `after`, behind it. With `refuse`, the server is
    stopped at that moment.
    """

    after: bytes
    request: bytes
    refuse: bool = False
    happened: threading.Event = field(default_factory=threading.Event)
    _sender: socket.socket | None = None
    _is_sent: bool = False

    def see(self, sender: socket.socket, data: bytes) -> None:
        if self._sender is None and self.after in data:
            self._sender, data = sender, data.partition(self.after)[2]
        if sender is self._sender and self.request in data:
            self._is_sent = True

    def is_for(self, receiver: socket.socket) -> bool:
        return self._is_sent and receiver is self._sender


class Proxy:
    """A proxy that forwards bytes until a test changes its behaviour."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._flowing = threading.Event()
        self._flowing.set()
        self._ends: list[socket.socket] = []
        self._losing: LostReply | None = None
        self.accepted = 0
        self._listen(0)

    def refuse(self) -> None:
        """Behave like a stopped server: the port is closed and all connections are reset."""
        _shut(self._listener)
        self.cut()

    def stall(self) -> None:
        """Behave like an unresponsive server: connections open, but no byte comes back."""
        self._flowing.clear()

    def cut(self) -> None:
        """Reset every connection; accept new ones."""
        ends, self._ends = self._ends, []
        for end in ends:
            with suppress(OSError):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            _shut(end)

    def lose_reply(self, request: bytes, *, after: bytes, refuse: bool = False) -> LostReply:
        """Once: let a request pass, and close its connection in place of the reply."""
        self._losing = LostReply(after, request, refuse)
        return self._losing

    def resume(self) -> None:
        """Forward bytes again, on the same port."""
        self._flowing.set()
        if self._listener.fileno() < 0:
            self._listen(self.port)

    def stop(self) -> None:
        self._flowing.set()
        self.refuse()

    def _listen(self, port: int) -> None:
        self._listener = socket.create_server(("127.0.0.1", port), backlog=64)
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):  # the listener was shut
            while True:
                near, _ = listener.accept()
                self.accepted += 1
                self._join(near)

    def _join(self, near: socket.socket) -> None:
        try:
            far = socket.create_connection(self._target, timeout=HANG_SECONDS)
        except OSError:
            _shut(near)
            return
        far.settimeout(None)
        self._ends += [near, far]
        for source, sink in ((near, far), (far, near)):
            threading.Thread(target=self._pump, args=(source, sink), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                self._flowing.wait()
                if self._loses(source, sink, data):
                    break
                sink.sendall(data)
        _shut(source)
        _shut(sink)

    def _loses(self, source: socket.socket, sink: socket.socket, data: bytes) -> bool:
        losing = self._losing
        if losing is None:
            return False
        losing.see(source, data)
        if is_lost := losing.is_for(sink):
            self._losing = None
            if losing.refuse:
                self.refuse()
            losing.happened.set()
        return is_lost


def _shut(end: socket.socket) -> None:
    """Shut a socket down before closing it, which wakes threads that wait for it."""
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()


@contextmanager
def proxy_to(host: str, port: int) -> Iterator[Proxy]:
    proxy = Proxy(host, port)
    try:
        yield proxy
    finally:
        proxy.stop()
