"""Web functions behind the gateway: their own command, streamed through both ways."""

import asyncio
import json
import os
import socket
from pathlib import Path

import httpx
import pytest

from tests.patience import HANG_SECONDS
from tests.tooling.local.gateways import RunningGateway, eventually, is_running

pytestmark = pytest.mark.timeout(300)


def connect(gateway: RunningGateway) -> socket.socket:
    host, port = gateway.base.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=HANG_SECONDS)


def test_a_request_passes_with_the_platforms_headers_and_without_forged_ones(
    gateway: RunningGateway,
) -> None:
    answer = httpx.post(
        f"{gateway.base}/web/a%2Fb/echo?x=1&x=%20",
        content=b"body",
        headers={
            "Host": "api.example.com",
            "X-Forwarded-For": "9.9.9.9",
            "X-Fc-Access-Key-Id": "forged",
            "User-Agent": "probe/1",
            "Accept": "*/*",
            "Accept-Encoding": "identity",
        },
    )
    seen = answer.json()
    request_id = answer.headers["X-Fc-Request-Id"]
    assert seen == {
        "method": "POST",
        "path": "/web/a%2Fb/echo",
        "query": "x=1&x=%20",
        "body": "body",
        "headers": [
            ["host", "api.example.com"],
            ["user-agent", "probe/1"],
            ["accept", "*/*"],
            ["accept-encoding", "identity"],
            ["content-length", "4"],
            ["x-forwarded-for", "9.9.9.9, 127.0.0.1"],
            ["x-fc-control-path", "/http-invoke"],
            ["x-fc-request-id", request_id],
            ["x-fc-function-name", "odd-web"],
            ["x-fc-function-handler", "functions.echo.index.handler"],
            ["x-fc-function-memory", "256"],
            ["x-fc-region", "cn-hangzhou"],
            ["x-fc-account-id", "1000000000000000"],
            ["x-fc-qualifier", "LATEST"],
            ["x-fc-version-id", "LATEST"],
        ],
    }


def test_it_runs_with_the_manifests_variables_on_our_python(gateway: RunningGateway) -> None:
    variables = httpx.get(f"{gateway.base}/web/environment").json()
    first, _, rest = variables.pop("PATH").partition(os.pathsep)
    assert variables == {"GREETING": "salut", "LANG": "C.UTF-8", "TZ": "UTC"}
    assert (Path(first) / "python3").exists()
    assert rest == "/var/fc/lang/python3.12/bin:/usr/bin:/bin"


def test_the_first_chunk_arrives_before_the_last_is_sent(gateway: RunningGateway) -> None:
    gate = gateway.root / "gate"
    with httpx.stream("GET", f"{gateway.base}/web/stream", timeout=HANG_SECONDS) as answer:
        chunks = answer.iter_raw()
        first = next(chunks)
        gate.touch()
        rest = b"".join(chunks)
    gate.unlink()
    assert (first, rest) == (b"first", b"last")
    assert answer.headers["content-type"] == "text/event-stream"


def test_a_request_body_is_streamed_too(gateway: RunningGateway) -> None:
    with connect(gateway) as connection:
        connection.sendall(
            b"POST /web/upload HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n"
        )
        begun = gateway.root / "upload-begun"
        assert eventually(lambda: begun.exists() and begun.read_bytes()) == b"first"
        connection.sendall(b"4\r\nlast\r\n0\r\n\r\n")
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b"firstlast" in answer


def test_a_client_that_leaves_ends_the_request_upstream(gateway: RunningGateway) -> None:
    with httpx.stream("GET", f"{gateway.base}/web/abandoned", timeout=HANG_SECONDS) as answer:
        assert next(answer.iter_raw()) == b"first"
    eventually(lambda: (gateway.root / "abandoned").exists())
    request_id = answer.headers["X-Fc-Request-Id"]
    eventually(lambda: f" ms {request_id}" in gateway.log)
    assert "GET /web/abandoned -> web gone" in gateway.log


def test_fifty_slow_streams_leave_the_other_functions_responsive(
    gateway: RunningGateway,
) -> None:
    gate = gateway.root / "gate"

    async def one_stream(client: httpx.AsyncClient, begun: asyncio.Semaphore) -> bytes:
        async with client.stream("GET", f"{gateway.base}/web/stream") as answer:
            chunks = answer.aiter_raw()
            first = await chunks.__anext__()
            begun.release()
            return first + b"".join([chunk async for chunk in chunks])

    async def scenario() -> tuple[list[int], list[bytes]]:
        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(limits=limits, timeout=HANG_SECONDS) as client:
            begun = asyncio.Semaphore(0)
            streams = [asyncio.create_task(one_stream(client, begun)) for _ in range(50)]
            for _ in streams:
                await begun.acquire()
            others = [await client.get(f"{gateway.base}/{n}/pid") for n in ("echo", "web")]
            gate.touch()
            return [answer.status_code for answer in others], await asyncio.gather(*streams)

    statuses, bodies = asyncio.run(scenario())
    gate.unlink()
    assert statuses == [200, 200]
    assert bodies == [b"firstlast"] * 50


def test_a_process_that_dies_is_started_again_by_the_next_request(
    gateway: RunningGateway,
) -> None:
    before = httpx.get(f"{gateway.base}/web/pid").text
    answer = httpx.get(f"{gateway.base}/web/die")
    assert (answer.status_code, answer.json()["Code"]) == (502, "ProcessExitedUnexpectedly")
    eventually(lambda: not is_running(int(before)))
    after = httpx.get(f"{gateway.base}/web/pid")
    assert (after.status_code, is_running(int(after.text))) == (200, True)


@pytest.mark.parametrize(
    ("name", "rule"), [("server", "forbidden_header"), ("large", "header_size")]
)
def test_headers_the_platform_does_not_send_are_refused(
    gateway: RunningGateway, name: str, rule: str
) -> None:
    answer = httpx.get(f"{gateway.base}/web/{name}")
    assert (answer.status_code, answer.json()["Rule"]) == (502, rule)


def test_several_cookies_pass(gateway: RunningGateway) -> None:
    answer = httpx.get(f"{gateway.base}/web/cookies")
    assert answer.headers.get_list("set-cookie") == ["a=1", "b=2"]


def test_a_stream_is_cut_off_at_the_timeout_of_its_function(gateway: RunningGateway) -> None:
    with (
        pytest.raises(httpx.RemoteProtocolError),
        httpx.stream("GET", f"{gateway.base}/slowweb/stream", timeout=HANG_SECONDS) as answer,
    ):
        answer.read()
    assert "!! FunctionTimeout: slowweb did not finish within its timeout of 1 s" in gateway.log


def test_an_asynchronous_call_runs_to_its_end(gateway: RunningGateway) -> None:
    begun = gateway.root / "upload-begun"
    begun.unlink(missing_ok=True)
    answer = httpx.post(
        f"{gateway.base}/web/upload",
        content=json.dumps({"a": 1}),
        headers={"X-Fc-Invocation-Type": "Async"},
    )
    assert (answer.status_code, answer.content) == (202, b"")
    assert eventually(lambda: begun.exists() and begun.read_bytes()) == b'{"a": 1}'
