"""Running streams: slow upstreams, disconnects, and many streams at once."""

import asyncio
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from scripts.tooling.environment import ROOT
from tests.events import v1_event
from tests.fakes import upstream
from tests.fakes.upstream import PIECES, SENTENCE, Upstream
from tests.functions.chat.chatting import (
    PATH,
    Stream,
    ask,
    ask_at_once,
    events_of,
    hear,
    heard_until,
    open_stream,
    pieces_of,
)
from tests.functions.conftest import Pair, SignUp
from tests.patience import HANG_SECONDS, promised
from tests.people import PASSWORD, grant, register
from tests.web import WebFunction, invoked, serving

PING_SECONDS = 10


Heard = tuple[bytes, float]


@pytest.fixture(scope="module", autouse=True)
def patient_listener(variables: dict[str, str]) -> Iterator["Future[Heard]"]:
    """A silent stream that is read while the other tests run."""

    def listen(web: WebFunction) -> Heard:
        with open_stream(web, "scenario: stall") as answer:
            pieces = pieces_of(answer)
            heard_until(pieces, PIECES[0] + PIECES[1])
            silent_since = time.monotonic()
            return next(pieces), time.monotonic() - silent_since

    with (
        upstream.running() as another,
        serving("chat", **{**variables, "OPENAI_API_URL": another.url}) as web,
        ThreadPoolExecutor(1) as pool,
    ):
        yield pool.submit(listen, web)


@pytest.mark.parametrize("name", ["silence", "no-first-byte", "stall", "endless"])
def test_a_client_that_leaves_a_stream_closes_the_upstream(
    name: str, chat: WebFunction, fake: Upstream
) -> None:
    with open_stream(chat, f"scenario: {name}") as answer:
        pieces = pieces_of(answer)
        assert b"event: start" in next(pieces)
        assert fake.wait_until(lambda: bool(fake.requests))

    assert fake.wait_closed()


def leave(web: WebFunction, fake: Upstream, asked: dict[str, object], request_id: str) -> None:
    """Send a message, and disconnect when the upstream has the request."""
    body = json.dumps(asked)
    head = f"POST {PATH} HTTP/1.1\r\nHost: a\r\nX-Fc-Request-Id: {request_id}\r\n"
    with socket.create_connection(("127.0.0.1", web.port), HANG_SECONDS) as connection:
        connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode())
        assert fake.wait_until(lambda: bool(fake.requests))


# An ASGI server whose client leaves, at a line of input, before the head of the response is sent.
UNREAD = """
import asyncio, json, sys
from functions.chat.index import handler

asked = json.dumps({"message": "scenario: stall", "stream": True}).encode()
messages = [{"type": "http.request", "body": asked}]
scope = {"type": "http", "method": "POST", "path": "/api/chat", "query_string": b"", "headers": []}

async def receive():
    return messages.pop() if messages else await asyncio.Event().wait()

async def send(message):
    await asyncio.to_thread(sys.stdin.readline)
    raise OSError("the client is gone")

async def serve():
    try:
        await handler(scope, receive, send)
    except OSError:
        await asyncio.to_thread(sys.stdin.read)

asyncio.run(serve())
"""


def test_a_client_that_leaves_before_the_head_of_a_stream_closes_the_upstream(
    chat: WebFunction, fake: Upstream
) -> None:
    environment = {**os.environ, **chat.variables}
    command = [sys.executable, "-c", UNREAD]
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdin=subprocess.PIPE) as server:
        assert fake.wait_until(lambda: bool(fake.requests))
        assert server.stdin
        server.stdin.write(b"leave\n")
        server.stdin.flush()
        assert fake.wait_closed()
        server.communicate()

    assert server.returncode == 0


@pytest.mark.parametrize("name", ["silence", "no-first-byte", "stall", "endless"])
def test_a_client_that_leaves_before_a_whole_answer_closes_the_upstream(
    name: str, chat: WebFunction, fake: Upstream
) -> None:
    asked: dict[str, object] = {"message": f"scenario: {name}"}
    leave(chat, fake, asked, "1-left")

    assert fake.wait_closed()


@pytest.mark.parametrize("stream", [False, True])
def test_a_client_that_left_is_in_the_log(stream: bool, chat: WebFunction, fake: Upstream) -> None:
    asked: dict[str, object] = {"message": "scenario: stall", "stream": stream}
    leave(chat, fake, asked, f"1-left-{stream}")

    assert fake.wait_closed()
    assert len(chat.logged(f'"event": "client_left", "request_id": "1-left-{stream}"')) == 1


def test_fifty_slow_streams_do_not_hold_up_a_quick_question_and_lose_nothing(
    chat: WebFunction, fake: Upstream
) -> None:
    async def crowd() -> list[bytes]:
        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(
            base_url=chat.base, limits=limits, timeout=HANG_SECONDS
        ) as client:

            async def whole_stream() -> bytes:
                asked = {"message": "scenario: held", "stream": True}
                return (await client.post(PATH, json=asked)).content

            streams = [asyncio.create_task(whole_stream()) for _ in range(50)]
            await asyncio.to_thread(fake.wait_until, lambda: fake.open_connections >= 50)
            quick = await client.post(PATH, json={"message": "quick"})
            assert quick.status_code == 200
            assert not any(stream.done() for stream in streams)
            fake.released.set()
            return await asyncio.gather(*streams)

    for body in asyncio.run(crowd()):
        said = events_of(body)
        assert "".join(one.data["text"] for one in said[1:-1]) == SENTENCE


def test_fifty_counted_streams_hold_up_nobody_and_leave_the_memory_as_it_was(
    pair: Pair, join: SignUp, fake: Upstream
) -> None:
    people, web = [join() for _ in range(5)], pair[0]
    for person in people:
        grant(person, 10_000)
    fifty_login = {"email": "fifty@example.com", "password": PASSWORD}
    assert register("fifty").status == 201

    def fifty() -> None:
        """Open fifty streams; meanwhile every other function answers in a process of its own."""
        fake.requests.clear()
        fake.released.clear()
        asked = {"message": "scenario: held", "stream": True}
        with ThreadPoolExecutor(5) as pool:
            crowd = [
                pool.submit(ask_at_once, [web], [asked] * 10, token=person.token)
                for person in people
            ]
            assert fake.wait_until(lambda: len(fake.requests) >= 50)
            assert ask(web, token=people[0].token).status == 200
            assert health(v1_event("GET", "/api/health")).status == 200
            assert login(login_event).status == 200
            assert not any(group.done() for group in crowd)
            fake.released.set()
            for group in crowd:
                assert [Stream.of(one).text for one in group.result()] == [SENTENCE] * 10

    login_event = v1_event("POST", "/api/auth/login", body=json.dumps(fifty_login).encode())
    with invoked("health", **web.variables) as health, invoked("login", **web.variables) as login:
        fifty()
        before_mb = resident_mb(web)
        fifty()
    assert resident_mb(web) < before_mb + 8


def resident_mb(web: WebFunction) -> float:
    status = Path(f"/proc/{web.process.pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


def test_streams_wait_for_no_database_connection(
    stored: WebFunction, sign_up: SignUp, fake: Upstream
) -> None:
    """Many streams share one connection: none is held while the model answers."""
    token = sign_up().token
    with serving("chat", **{**stored.variables, "DATABASE_CONNECTIONS": "1"}) as web:
        headers = {"Authorization": f"Bearer {token}"}
        asked = {"message": "scenario: stall", "stream": True}
        with (
            httpx.stream(
                "POST", web.base + PATH, json=asked, headers=headers, timeout=HANG_SECONDS
            ) as one,
            httpx.stream(
                "POST", web.base + PATH, json=asked, headers=headers, timeout=HANG_SECONDS
            ) as two,
        ):
            heard = [pieces_of(one), pieces_of(two)]
            assert [next(pieces)[:7] for pieces in heard] == [b"id: 0.0"] * 2
            assert ask(web, token=token).status == 200


@pytest.mark.parametrize("limit", ["CONNECT", "FIRST_BYTE"])
def test_an_upstream_that_is_not_reached_in_time_is_a_timeout(
    limit: str, variables: dict[str, str]
) -> None:
    more = {f"UPSTREAM_{limit}_SECONDS": "1"}
    with (
        upstream.unreachable() as url,
        serving("chat", **{**variables, **more, "OPENAI_API_URL": url}) as web,
    ):
        started = time.monotonic()
        reply = ask(web)
        assert 0.9 < time.monotonic() - started < promised(1)
        told = hear(web).last

    assert (reply.status, reply.error) == (504, "upstream_timeout")
    assert (told.name, told.data["error"]) == ("error", "upstream_timeout")


def test_an_upstream_that_refuses_connections_is_an_error(variables: dict[str, str]) -> None:
    with serving("chat", **{**variables, "OPENAI_API_URL": upstream.refused_url()}) as web:
        reply, told = ask(web), hear(web).last

    assert (reply.status, reply.error) == (502, "upstream_error")
    assert told.data["error"] == "upstream_error"


@pytest.mark.parametrize("name", ["silence", "no-first-byte", "stall", "slow-headers"])
def test_nothing_is_left_open_after_a_time_limit(
    name: str, hasty: WebFunction, fake: Upstream
) -> None:
    assert hear(hasty, f"scenario: {name}").last.name == "error"

    assert fake.wait_closed()


def test_a_silent_stream_is_kept_alive_by_comments(
    patient_listener: "Future[Heard]",
) -> None:
    heard, waited = patient_listener.result(HANG_SECONDS)

    assert heard == b": ping\n\n"
    assert PING_SECONDS / 2 < waited < promised(PING_SECONDS)


def test_the_process_ends_when_it_is_told_to(variables: dict[str, str]) -> None:
    with serving("chat", **variables) as web:
        assert ask(web).status == 200
        web.process.terminate()
        assert web.process.wait(HANG_SECONDS) in {0, -15}
        assert "Traceback" not in web.log
