"""Built-in functions behind the gateway: events in, four keys out, rules enforced."""

import json
import re
import socket
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from scripts.tooling.local.gateway.platform_rules import read_answer
from scripts.tooling.local.gateway.refusals import Violation
from tests.patience import HANG_SECONDS
from tests.tooling.local.gateways import RunningGateway, eventually, is_running, process_state

pytestmark = pytest.mark.timeout(300)


def raw_exchange(gateway: RunningGateway, request: bytes) -> bytes:
    """Send exactly these bytes and read until the server closes."""
    host, port = gateway.base.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=HANG_SECONDS) as connection:
        connection.sendall(request)
        return b"".join(iter(lambda: connection.recv(65536), b""))


def event_of(gateway: RunningGateway, request: bytes) -> dict[str, object]:
    answer = raw_exchange(gateway, request).partition(b"\r\n\r\n")[2]
    event: dict[str, object] = json.loads(answer)
    return event


def test_a_request_becomes_the_whole_v1_event(gateway: RunningGateway) -> None:
    event = event_of(
        gateway,
        b"PUT /echo/a%20b/%E4%BD%A0?a=1&a=2&b=%E4%BD%A0+x&empty= HTTP/1.1\r\n"
        b"Host: api.example.com:8000\r\n"
        b"content-type: text/plain\r\n"
        b"X-Twice: one\r\n"
        b"x-twice: two\r\n"
        b"X-Fc-Access-Key-Id: forged\r\n"
        b"X-Forwarded-For: 9.9.9.9\r\n"
        b"User-Agent: probe/1\r\n"
        b"Content-Length: 6\r\n"
        b"Connection: close\r\n\r\n" + "你好".encode(),
    )
    context = event["requestContext"]
    assert isinstance(context, dict)
    moment, epoch = context.pop("time"), context.pop("timeEpoch")
    request_id = context.pop("requestId")
    assert event == {
        "version": "v1",
        "rawPath": "/echo/a%20b/%E4%BD%A0",
        "body": "你好",
        "isBase64Encoded": False,
        "headers": {
            "Content-Length": "6",
            "Content-Type": "text/plain",
            "User-Agent": "probe/1",
            "X-Forwarded-For": "9.9.9.9",
            "X-Twice": "one,two",
        },
        "queryParameters": {"a": "1,2", "b": "你 x", "empty": ""},
        "requestContext": {
            "accountId": "1000000000000000",
            "domainName": "api.example.com",
            "domainPrefix": "api",
            "http": {
                "method": "PUT",
                "path": "/echo/a b/你",
                "protocol": "HTTP/1.1",
                "sourceIp": "127.0.0.1",
                "userAgent": "probe/1",
            },
        },
    }
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", moment)
    assert re.fullmatch(r"\d{13}", epoch)
    assert re.fullmatch(r"1-[0-9a-f]{8}-[0-9a-f]{24}", request_id)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"", ("", True)),
        (b"\xff\x00", ("/wA=", True)),
        (b'{"a": 1}', ('{"a": 1}', False)),
    ],
)
def test_a_body_that_is_no_text_and_an_empty_one_arrive_in_base64(
    gateway: RunningGateway, body: bytes, expected: tuple[str, bool]
) -> None:
    event = httpx.post(f"{gateway.base}/echo/event", content=body).json()
    assert (event["body"], event["isBase64Encoded"]) == expected


def test_the_context_names_request_and_function_and_holds_no_credentials(
    gateway: RunningGateway,
) -> None:
    answer = httpx.get(f"{gateway.base}/echo/context")
    assert answer.json() == {
        "request_id": answer.headers["X-Fc-Request-Id"],
        "function": {
            "name": "odd-echo",
            "handler": "functions.echo.index.handler",
            "memory": 256,
            "timeout": 20,
            "version_id": "",
            "qualifier": "LATEST",
        },
        "region": "cn-hangzhou",
        "account_id": "1000000000000000",
    }


def test_a_function_sees_the_variables_of_the_manifest_alone(gateway: RunningGateway) -> None:
    variables = httpx.get(f"{gateway.base}/echo/environment").json()
    variables.pop("PATH")
    assert variables == {"GREETING": "hello", "LANG": "C.UTF-8", "TZ": "UTC"}


def test_an_answer_in_base64_is_decoded(gateway: RunningGateway) -> None:
    assert httpx.get(f"{gateway.base}/echo/binary").content == b"\x00\xff\xfe"


def four_keys(**changes: object) -> str:
    answer = {"statusCode": 200, "headers": {}, "isBase64Encoded": False, "body": "", **changes}
    return json.dumps({key: value for key, value in answer.items() if value is not None})


@pytest.mark.parametrize(
    ("output", "rule"),
    [
        ("plain text", "four_keys"),
        ("[]", "four_keys"),
        (four_keys(statusCode=None), "four_keys"),
        (four_keys(headers=None), "four_keys"),
        (four_keys(isBase64Encoded=None), "four_keys"),
        (four_keys(body=None), "four_keys"),
        (four_keys(statusCode="200"), "four_keys"),
        (four_keys(statusCode=True), "four_keys"),
        (four_keys(body={"a": 1}), "four_keys"),
        (four_keys(headers={"X-Count": 1}), "header_strings"),
        (four_keys(headers={"Vary": "a", "vary": "b"}), "header_once"),
        (four_keys(headers={"X-Split": "a\r\nSet-Cookie: b"}), "header_text"),
        (four_keys(headers={"X-Name": "你好"}), "header_text"),
        (four_keys(headers={"x-fc-status": "404"}), "forbidden_header"),
        (four_keys(headers={"Connection": "close"}), "forbidden_header"),
        (four_keys(headers={"Content-Length": "0"}), "forbidden_header"),
        (four_keys(headers={"Date": "today"}), "forbidden_header"),
        (four_keys(headers={"Keep-Alive": "1"}), "forbidden_header"),
        (four_keys(headers={"Server": "me"}), "forbidden_header"),
        (four_keys(headers={"Upgrade": "h2c"}), "forbidden_header"),
        (four_keys(headers={"Content-Disposition": "attachment; x=y"}), "forbidden_header"),
        (four_keys(headers={"X-Large": "x" * 9000}), "header_size"),
        (four_keys(isBase64Encoded=True, body="no base64!"), "body_encoding"),
        (four_keys(body="\ud800"), "body_encoding"),
        (four_keys(statusCode=99), "status"),
        (
            four_keys(statusCode=500, body="Traceback (most recent call last):\n"),
            "stack_trace",
        ),
        (
            four_keys(statusCode=500, body='{"t": "File \\"/code/a.py\\", line 3, in f"}'),
            "stack_trace",
        ),
    ],
)
def test_an_answer_the_platform_would_not_send_is_refused_and_said_out_loud(
    gateway: RunningGateway, output: str, rule: str
) -> None:
    answer = httpx.post(f"{gateway.base}/echo/output", content=output.encode())
    told = answer.json()
    told.pop("Message")
    request_id = answer.headers["X-Fc-Request-Id"]
    assert (answer.status_code, told) == (
        502,
        {"Code": "BadResponse", "RequestId": request_id, "Function": "echo", "Rule": rule},
    )
    assert re.search(rf"!! BadResponse: echo broke the rule {rule}: .*{request_id}", gateway.log)


def test_a_body_over_32_mb_is_refused() -> None:
    largest = four_keys(body="x" * 32 * 1024 * 1024)
    assert len(read_answer("echo", largest.encode()).body) == 32 * 1024 * 1024
    with pytest.raises(Violation, match="body_size"):
        read_answer("echo", largest.replace("x", "xx", 1).encode())


def test_headers_a_function_may_set_pass_unchanged(gateway: RunningGateway) -> None:
    wanted = {
        "Content-Disposition": "inline",
        "Content-Type": "text/csv; charset=utf-8",
        "Set-Cookie": "a=1; Path=/",
    }
    answer = httpx.post(
        f"{gateway.base}/echo/output", content=four_keys(statusCode=201, headers=wanted, body="é")
    )
    automatic = {"date", "content-length", "x-fc-request-id"}
    got = {k: v for k, v in answer.headers.items() if k not in automatic}
    expected = {name.lower(): value for name, value in wanted.items()}
    assert (answer.status_code, got, answer.content) == (201, expected, "é".encode())


@pytest.mark.parametrize("status", [204, 304])
def test_a_status_without_body_is_sent_without_one(gateway: RunningGateway, status: int) -> None:
    answer = httpx.post(f"{gateway.base}/echo/output", content=four_keys(statusCode=status))
    assert (answer.status_code, answer.content) == (status, b"")


def test_an_uncaught_exception_shows_in_the_terminal_and_not_to_the_client(
    gateway: RunningGateway,
) -> None:
    answer = httpx.get(f"{gateway.base}/echo/raise")
    told = answer.json()
    assert (answer.status_code, told["Rule"]) == (502, "uncaught_exception")
    assert "secret of the house" not in answer.text
    assert "ValueError: a secret of the house" in gateway.log


def test_a_process_that_exits_is_replaced(gateway: RunningGateway) -> None:
    answer = httpx.get(f"{gateway.base}/echo/exit")
    assert (answer.status_code, answer.json()["Code"]) == (502, "ProcessExitedUnexpectedly")
    assert httpx.get(f"{gateway.base}/echo/pid").status_code == 200


def test_a_handler_that_cannot_be_imported_says_why_in_the_terminal(
    gateway: RunningGateway,
) -> None:
    answer = httpx.get(f"{gateway.base}/broken")
    assert (answer.status_code, answer.json()["Code"]) == (502, "FunctionNotStarted")
    assert "No module named 'absent_module'" in gateway.log


def test_a_function_that_exceeds_its_timeout_is_killed(gateway: RunningGateway) -> None:
    pid = httpx.get(f"{gateway.base}/hasty/pid").json()
    answer = httpx.get(f"{gateway.base}/hasty/hang", timeout=HANG_SECONDS)
    assert (answer.status_code, answer.json()["Code"]) == (504, "FunctionTimeout")
    assert not is_running(pid)
    assert "!! FunctionTimeout: hasty did not answer within its timeout of 1 s" in gateway.log


def test_what_a_function_prints_is_shown_with_its_name_and_disturbs_nothing(
    gateway: RunningGateway,
) -> None:
    answer = httpx.get(f"{gateway.base}/echo/print")
    assert answer.text == "printed"
    request_id = answer.headers["X-Fc-Request-Id"]
    eventually(lambda: f"{request_id} [INFO] a record" in gateway.log)
    lines = gateway.log.splitlines()
    assert "    echo | on stdout" in lines
    assert "    echo | on stderr" in lines


def test_an_idle_instance_is_frozen(gateway: RunningGateway) -> None:
    pid = httpx.get(f"{gateway.base}/echo/pid").json()
    eventually(lambda: process_state(pid) == "T")


def test_an_instance_takes_one_request_at_a_time_and_a_fifth_request_waits(
    gateway: RunningGateway,
) -> None:
    gate = gateway.root / "gate"
    with ThreadPoolExecutor(5) as pool:
        url = f"{gateway.base}/echo/wait"
        answers = [pool.submit(httpx.get, url, timeout=HANG_SECONDS) for _ in range(5)]
        eventually(lambda: len(list(gateway.root.glob("waiting-*"))) == 4)
        gate.touch()
        assert [answer.result().text for answer in answers] == ["through"] * 5
    assert len(list(gateway.root.glob("waiting-*"))) == 4
    gate.unlink()


def test_an_asynchronous_call_is_accepted_at_once_and_tried_again_when_it_fails(
    gateway: RunningGateway,
) -> None:
    attempts = gateway.root / "attempts"
    attempts.unlink(missing_ok=True)
    answer = httpx.get(f"{gateway.base}/echo/raise", headers={"X-Fc-Invocation-Type": "Async"})
    assert (answer.status_code, answer.content) == (202, b"")
    request_id = answer.headers["X-Fc-Request-Id"]
    eventually(lambda: f"asynchronous attempt 2 of {request_id} failed" in gateway.log)
    assert attempts.read_text() == "xx"


def test_an_asynchronous_body_ends_at_128_kb(gateway: RunningGateway) -> None:
    statuses = [
        httpx.post(
            f"{gateway.base}/echo/event",
            content=b"x" * size,
            headers={"X-Fc-Invocation-Type": "Async"},
        ).status_code
        for size in (128 * 1024, 128 * 1024 + 1)
    ]
    assert statuses == [202, 413]


@pytest.mark.parametrize(
    ("method", "path", "headers", "expected"),
    [
        ("GET", "/echo/event", {"X-Large": "x" * 9000}, (400, "InvalidArgument")),
        ("GET", "/echo/event?" + "x" * 5000, {}, (414, "InvalidArgument")),
        ("GET", "/nothing", {}, (404, "RouteNotFound")),
        ("DELETE", "/echo/event", {}, (405, "MethodNotAllowed")),
    ],
)
def test_a_request_the_platform_would_not_pass_is_refused(
    gateway: RunningGateway,
    method: str,
    path: str,
    headers: dict[str, str],
    expected: tuple[int, str],
) -> None:
    answer = httpx.request(method, gateway.base + path, headers=headers)
    assert (answer.status_code, answer.json()["Code"]) == expected
    assert answer.json()["RequestId"] == answer.headers["X-Fc-Request-Id"]


def test_a_request_body_over_32_mb_is_refused(gateway: RunningGateway) -> None:
    head = b"POST /echo/event HTTP/1.1\r\nHost: a\r\nContent-Length: 33554433\r\n\r\n"
    assert raw_exchange(gateway, head + b"x" * 33554433).startswith(b"HTTP/1.1 413 ")


def test_a_path_cannot_write_to_the_terminal(gateway: RunningGateway) -> None:
    path = "/none%0A%1B]0;gotcha%07%C2%9B2J"
    answer = httpx.get(gateway.base + path)
    request_id = answer.headers["X-Fc-Request-Id"]
    eventually(lambda: request_id in gateway.log)
    line = next(line for line in gateway.log.splitlines() if request_id in line)
    assert re.fullmatch(rf"[\d:]{{8}} GET {re.escape(path)} -> - 404 \d+ ms {request_id}", line)


def test_one_line_is_logged_per_request_without_its_query(gateway: RunningGateway) -> None:
    answer = httpx.get(f"{gateway.base}/echo/pid?token=secret-in-query")
    request_id = answer.headers["X-Fc-Request-Id"]
    eventually(lambda: request_id in gateway.log)
    line = next(line for line in gateway.log.splitlines() if request_id in line)
    assert re.fullmatch(rf"[\d:]{{8}} GET /echo/pid -> echo 200 \d+ ms {request_id}", line)
    assert "secret-in-query" not in gateway.log
