"""The HTTP protocol of web functions: uvicorn's, with a time limit for request heads.

`--http=shared.web.http_protocol:HttpProtocol` in s.yaml selects it.
"""

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_SECONDS = 20  # as long as a body may take


class HttpProtocol(HttpToolsProtocol):
    """Hangs up when a request head is not complete in time.

    The time of a connection's first head begins when the connection is made, that of a
    later one at its first byte. The server itself has no such limit, so a client could
    hold connections for ever.
    """

    _head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._await_head()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        if self._head_timer is None:
            self._await_head()

    def on_headers_complete(self) -> None:
        self._end_timer()
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end_timer()
        super().connection_lost(exc)

    def _await_head(self) -> None:
        self._head_timer = self.loop.call_later(HEAD_SECONDS, self.transport.close)

    def _end_timer(self) -> None:
        if self._head_timer:
            self._head_timer.cancel()
            self._head_timer = None
