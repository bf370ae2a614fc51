"""Connections of the model client: concurrency, TLS, and all kinds of message framing."""

import asyncio
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from shared.llm.transport import Transport
from tests.patience import HANG_SECONDS

_BETWEEN_PIECES_SECONDS = 0.002  # enough for the peer to see two reads
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
WHOLE = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"


@asynccontextmanager
async def answering(answer: bytes, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """Answer every request with these bytes, split at each bar, and close."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        for piece in answer.split(b"|"):
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(_BETWEEN_PIECES_SECONDS)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls, backlog=500)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


def client(tls: ssl.SSLContext | None = None, most_kept: int = 20) -> httpx.AsyncClient:
    trusted = tls or ssl.create_default_context()
    transport = Transport(trusted, most_kept=most_kept, kept_seconds=30)
    return httpx.AsyncClient(transport=transport, timeout=httpx.Timeout(None, connect=HANG_SECONDS))


def got(answer: bytes, **headers: str) -> httpx.Response:
    async def get() -> httpx.Response:
        async with answering(answer) as port, client() as asking:
            return await asking.get(f"http://127.0.0.1:{port}/", headers=headers)

    return asyncio.run(get())


@pytest.mark.parametrize(
    "answer",
    [
        WHOLE,
        b"HTTP/1.1 200 OK\r\n\r\nhe|llo",
        b"HTTP/1.0 200 OK\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n|2\r\nh|e\r\n3\r|\nllo\r\n0\r\n\r\n",
        b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n|" + WHOLE,
        b"HTTP/1.1 100 Continue\r\n\r\n|" + WHOLE,
    ],
    ids=["length", "until-closed", "http-1.0", "chunked", "early-hints", "continue"],
)
def test_an_answer_is_read_however_it_is_framed(answer: bytes) -> None:
    response = got(answer)

    assert (response.status_code, response.content) == (200, b"hello")
    assert "link" not in response.headers


@pytest.mark.parametrize(
    "answer", [WHOLE[:-1], WHOLE[:20], b""], ids=["inside-body", "inside-head", "nothing"]
)
def test_an_answer_closed_too_early_is_an_error(answer: bytes) -> None:
    with pytest.raises(httpx.RemoteProtocolError):
        got(answer)


@pytest.mark.parametrize(
    ("beginning", "more"),
    [
        (b"HTTP/1.1 200 OK\r\nX: ", b"x" * 65536),
        (b"HTTP/1.1 200 OK\r\n", b"X: y\r\n" * 10_000),
        (b"", b"HTTP/1.1 103 Early Hints\r\n\r\n" * 2_000),
        (CHUNKED + b"5\r\nhello\r\n0\r\nX: ", b"x" * 65536),
        (CHUNKED + b"5;x=", b"x" * 65536),
    ],
    ids=["header", "headers", "early-hints", "trailer", "extension"],
)
def test_what_is_no_answer_is_not_listened_to_for_ever(beginning: bytes, more: bytes) -> None:
    """An endless answer would fill the memory of the process."""
    taken = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal taken
        await reader.readuntil(b"\r\n\r\n")
        writer.write(beginning)
        with suppress(ConnectionError):
            for _ in range(1000):
                writer.write(more)
                await writer.drain()
                taken += len(more)
        writer.close()

    async def get() -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        async with server, client() as asking:
            await asking.get(f"http://127.0.0.1:{port}/")

    with pytest.raises(httpx.RemoteProtocolError):
        asyncio.run(get())
    assert taken < 16_000_000  # what the sockets hold


def test_a_line_break_cannot_smuggle_a_header_in() -> None:
    with pytest.raises(httpx.LocalProtocolError):
        got(WHOLE, name="value\r\nX-Injected: yes")


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    file = tmp_path / "both.pem"
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    made = ["-keyout", str(tmp_path / "key.pem"), "-out", str(tmp_path / "cert.pem")]
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", *names, *made],
        check=True,
        capture_output=True,
    )
    file.write_text((tmp_path / "key.pem").read_text() + (tmp_path / "cert.pem").read_text())
    return file


def asked_over_tls(certificate: Path, trusted: ssl.SSLContext) -> bytes:
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(certificate)

    async def get() -> bytes:
        async with answering(WHOLE, serving) as port, client(trusted) as asking:
            return (await asking.get(f"https://localhost:{port}/")).content

    return asyncio.run(get())


def test_a_certificate_that_is_trusted_is_good_enough(certificate: Path) -> None:
    trusting = ssl.create_default_context(cafile=str(certificate))

    assert asked_over_tls(certificate, trusting) == b"hello"


def test_a_certificate_nobody_vouches_for_is_refused(certificate: Path) -> None:
    with pytest.raises(httpx.ConnectError):
        asked_over_tls(certificate, ssl.create_default_context())


def test_nobody_waits_for_another_and_only_so_many_connections_are_kept() -> None:
    still_open = 0
    everybody, kept_few = asyncio.Event(), asyncio.Event()

    async def hold_until_all_are_here(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        nonlocal still_open
        await reader.readuntil(b"\r\n\r\n")
        still_open += 1
        if still_open == 150:
            everybody.set()
        await everybody.wait()
        writer.write(WHOLE)
        await reader.read()
        still_open -= 1
        if still_open == 3:
            kept_few.set()
        writer.close()

    async def ask() -> list[bytes]:
        server = await asyncio.start_server(hold_until_all_are_here, "127.0.0.1", 0, backlog=500)
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        async with client(most_kept=3) as asking:
            answers = await asyncio.gather(*(asking.get(url) for _ in range(150)))
            await asyncio.wait_for(kept_few.wait(), HANG_SECONDS)
        server.close()
        return [answer.content for answer in answers]

    assert asyncio.run(ask()) == [b"hello"] * 150


Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def listening(serve: Serve) -> AsyncIterator[int]:
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


async def answer_one_and_close(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Promise to keep the connection open, and close it after one answer."""
    with suppress(ConnectionError, asyncio.IncompleteReadError):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(WHOLE)
        await writer.drain()
    writer.close()


@asynccontextmanager
async def delayed(port: int) -> AsyncIterator[int]:
    """A proxy whose clients hear that the server has closed only after their next request.

    So the request and the close cross each other on the way, each time.
    """

    async def pass_on(near: asyncio.StreamReader, near_writer: asyncio.StreamWriter) -> None:
        far, far_writer = await asyncio.open_connection("127.0.0.1", port)
        far_writer.write(await near.readuntil(b"\r\n\r\n"))
        near_writer.write(await far.read())
        await near.read(1)
        near_writer.close()
        far_writer.close()

    async with listening(pass_on) as proxy_port:
        yield proxy_port


def test_a_kept_connection_that_closes_as_we_write_costs_no_answer() -> None:
    async def ask() -> list[bytes]:
        async with (
            listening(answer_one_and_close) as port,
            delayed(port) as proxy_port,
            client() as asking,
        ):
            url = f"http://127.0.0.1:{proxy_port}/"
            return [(await asking.get(url)).content for _ in range(40)]

    assert asyncio.run(ask()) == [b"hello"] * 40


@pytest.mark.parametrize("beginning", [b"H", b"HTTP/1.1 200 OK\r\n", CHUNKED + b"5\r\nhel"])
def test_a_request_is_not_repeated_once_a_byte_of_its_answer_was_read(beginning: bytes) -> None:
    requests = 0

    async def break_off_the_second(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        nonlocal requests
        for answer in (WHOLE, beginning):
            await reader.readuntil(b"\r\n\r\n")
            requests += 1
            writer.write(answer)
        writer.close()

    async def ask() -> None:
        async with listening(break_off_the_second) as port, client() as asking:
            url = f"http://127.0.0.1:{port}/"
            await asking.get(url)
            with pytest.raises(httpx.RemoteProtocolError):
                await asking.get(url)

    asyncio.run(ask())
    assert requests == 2


def test_a_request_on_a_new_connection_is_sent_once() -> None:
    connections = 0

    async def close(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        await reader.readuntil(b"\r\n\r\n")
        writer.close()

    async def ask() -> None:
        async with listening(close) as port, client() as asking:
            with pytest.raises(httpx.RemoteProtocolError):
                await asking.get(f"http://127.0.0.1:{port}/")

    asyncio.run(ask())
    assert connections == 1


class PlainLoop(asyncio.SelectorEventLoop):
    """A loop whose create_connection takes only the arguments that all loops know."""

    async def create_connection(  # type: ignore[override]  # fewer arguments, on purpose
        self, factory: Any, host: str, port: int, *, ssl: Any = None, server_hostname: Any = None
    ) -> Any:
        return await super().create_connection(
            factory, host, port, ssl=ssl, server_hostname=server_hostname
        )


def uvloop() -> asyncio.AbstractEventLoop:
    """The loop that uvicorn prefers wherever it is installed."""
    loop: asyncio.AbstractEventLoop = pytest.importorskip("uvloop").new_event_loop()
    return loop


def run_on(loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, bytes]) -> bytes:
    try:
        return loop.run_until_complete(work)
    finally:
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()


@pytest.mark.parametrize("new_loop", [PlainLoop, uvloop])
def test_any_event_loop_connects(new_loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    async def get() -> bytes:
        async with answering(WHOLE) as port, client() as asking:
            return (await asking.get(f"http://127.0.0.1:{port}/")).content

    assert run_on(new_loop(), get()) == b"hello"


class Resolving(PlainLoop):
    """A loop on which a name has these addresses, and which connects to their last alone."""

    def __init__(self, *addresses: str) -> None:
        super().__init__()
        self.addresses = addresses
        self.tried: list[str] = []

    async def getaddrinfo(self, host: Any, port: Any, **_: Any) -> list[Any]:
        return [
            (socket.AF_INET6 if ":" in one else socket.AF_INET, 1, 6, "", (one, port))
            for one in self.addresses
        ]

    async def create_connection(  # type: ignore[override]  # as above
        self, factory: Any, host: str, port: int, **kw: Any
    ) -> Any:
        self.tried.append(host)
        if host != self.addresses[-1]:
            await self.create_future()  # a black hole
        return await super().create_connection(factory, "127.0.0.1", port, **kw)


def test_an_address_that_never_answers_does_not_hold_up_the_next() -> None:
    loop = Resolving("2001:db8::1", "2001:db8::2", "192.0.2.1")

    async def get() -> bytes:
        async with answering(WHOLE) as port, client() as asking:
            return (await asking.get(f"http://upstream.example:{port}/")).content

    assert run_on(loop, get()) == b"hello"
    assert loop.tried == ["2001:db8::1", "192.0.2.1"]
