"""Unusual bodies, headers and connections: none causes a server error."""

import http.client
import json
import select
import socket
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.upstream import SENTENCE
from tests.functions.chat.chatting import PATH, ask, post
from tests.patience import HANG_SECONDS, promised
from tests.web import WebFunction

MEBIBYTE = 1024 * 1024
ORIGIN = {"Origin": "https://app.example.com"}


def connect(web: WebFunction) -> socket.socket:
    return socket.create_connection(("127.0.0.1", web.port), timeout=HANG_SECONDS)


def send(web: WebFunction, body: bytes | Iterator[bytes], **headers: str) -> tuple[int, str]:
    answer = web.client.post(PATH, content=body, headers=headers)
    return answer.status_code, str(answer.json().get("error"))


@pytest.mark.parametrize("size", [MEBIBYTE + 1, 20 * MEBIBYTE])
@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_that_is_too_large_is_refused_readably(
    size: int, chunked: bool, chat: WebFunction
) -> None:
    pieces = (b"x" * min(65536, size - at) for at in range(0, size, 65536))
    answer = chat.client.post(PATH, content=pieces if chunked else b"x" * size, headers=ORIGIN)

    assert (answer.status_code, answer.json()["error"]) == (413, "payload_too_large")
    assert answer.headers["access-control-allow-origin"] == ORIGIN["Origin"]
    assert answer.headers["x-request-id"] == answer.json()["request_id"]


def peak_memory_mb(web: WebFunction) -> float:
    status = Path(f"/proc/{web.process.pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def test_a_body_far_too_large_is_not_kept_while_it_comes(chat: WebFunction) -> None:
    before = peak_memory_mb(chat)

    assert send(chat, (b"x" * 65536 for _ in range(1024))) == (413, "payload_too_large")
    assert peak_memory_mb(chat) - before < 20


def test_a_body_just_small_enough_is_read(chat: WebFunction) -> None:
    body = json.dumps({"message": "hi"}).encode().ljust(MEBIBYTE)

    assert len(body) == MEBIBYTE
    assert send(chat, body) == (200, "None")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b'{"message": "hi",}',
        b"\xff\xfe",
        b'{"message": NaN}',
        b'{"message": "\\ud800"}',
        b'{"message": "hi", "x": Infinity}',
        b"[" * 200_000,
        b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
        b"1" * 10_000,
    ],
    ids=lambda body: repr(body[:20]),
)
def test_what_is_no_json_is_called_malformed(body: bytes, chat: WebFunction) -> None:
    assert send(chat, body) == (400, "malformed_json")


def test_a_byte_order_mark_is_forgiven(chat: WebFunction) -> None:
    assert send(chat, b'\xef\xbb\xbf{"message": "hi"}') == (200, "None")


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)
names = ["type", "locale", "messages", "message", "conversation_id", "model", "stream", "x"]
spoken = st.fixed_dictionaries({}, optional={"role": values, "content": values})
bodies = st.fixed_dictionaries(
    {}, optional={**dict.fromkeys(names, values), "messages": st.lists(spoken, max_size=3)}
)


def test_a_list_far_too_long_costs_no_memory(chat: WebFunction) -> None:
    before = peak_memory_mb(chat)
    body = b'{"messages":[' + b"{}," * 340_000 + b"{}]}"
    answers = [send(chat, body)[0] for _ in range(3)]
    assert answers == [422] * 3
    assert peak_memory_mb(chat) - before < 60


@given(bodies | values)
def test_no_json_is_a_failure_of_ours(chat: WebFunction, body: object) -> None:
    assert post(chat, body).status in {200, 400, 422}


@given(st.binary(max_size=200))
def test_no_bytes_are_a_failure_of_ours(chat: WebFunction, body: bytes) -> None:
    assert send(chat, body)[0] in {400, 422}


@pytest.mark.parametrize("name", ["Authorization", "Accept-Language", "X-Whatever", "Cookie"])
def test_nine_kilobytes_of_headers_are_read(name: str, chat: WebFunction) -> None:
    reply = ask(chat, headers={name: "x" * 9000})

    assert (reply.status, name) in {(200, name), (401, "Authorization")}


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Fc-Request-Id": "two words"},
        {"X-Fc-Request-Id": "x" * 65},
        {"Origin": "null"},
        {"Accept-Language": ";q=9.9.9,zh;q=x"},
        {"Content-Type": "application/json; charset=gbk"},
        {"Accept": "*/*;q=0.8, image/png"},
        {"X-Forwarded-For": "x, , ,,"},
    ],
)
def test_odd_headers_are_no_failure(headers: dict[str, str], chat: WebFunction) -> None:
    assert ask(chat, headers=headers).status == 200


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE"])
def test_other_methods_are_refused_with_the_ones_there_are(method: str, chat: WebFunction) -> None:
    answer = chat.client.request(method, PATH)

    assert (answer.status_code, answer.headers["allow"]) == (405, "OPTIONS, POST")


@pytest.mark.parametrize("path", ["/", "/api/chat/", "/api/chat%2F", "/initialize", "/pre-stop"])
def test_other_paths_are_not_found(path: str, chat: WebFunction) -> None:
    answer = chat.client.post(path, json={"message": "hi"})

    assert (answer.status_code, answer.json()["error"]) == (404, "not_found")


def test_one_connection_serves_one_request_after_another(chat: WebFunction) -> None:
    """After complete, streamed, refused and oversized requests the connection stays usable."""
    connection = http.client.HTTPConnection("127.0.0.1", chat.port, timeout=HANG_SECONDS)
    bodies = [
        b'{"message": "hi"}',
        b'{"message": "hi", "stream": true}',
        b"{",
        b"x" * (MEBIBYTE + 1),
        b'{"message": "scenario: error-later", "stream": true}',
        b'{"message": "hi"}',
    ]
    statuses, sockets = [], set()
    with closing(connection):
        for body in bodies:
            connection.request("POST", PATH, body)
            answer = connection.getresponse()
            answer.read()
            statuses.append(answer.status)
            sockets.add(id(connection.sock))

    assert statuses == [200, 200, 400, 413, 200, 200]
    assert len(sockets) == 1


def test_two_requests_sent_at_once_are_both_answered(chat: WebFunction) -> None:
    body = b'{"message": "hi"}'
    request = b"POST /api/chat HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n" % len(body)
    with connect(chat) as connection:
        connection.sendall(request + b"\r\n" + body + request + b"Connection: close\r\n\r\n" + body)
        answers = b"".join(iter(lambda: connection.recv(65536), b"")).decode()

    assert answers.count("HTTP/1.1 200 ") == 2
    assert answers.count(SENTENCE) == 2


def test_a_body_that_comes_slowly_is_waited_for_and_holds_nobody_up(chat: WebFunction) -> None:
    slow = [connect(chat) for _ in range(60)]
    for connection in slow:
        connection.sendall(b"POST /api/chat HTTP/1.1\r\nHost: a\r\nContent-Length: 17\r\n\r\n{")
    assert ask(chat).status == 200
    for connection in slow:
        connection.sendall(b'"message": "hi"}')
    answers = [connection.recv(65536) for connection in slow]
    for connection in slow:
        connection.close()

    assert {answer.split(b"\r\n")[0] for answer in answers} == {b"HTTP/1.1 200 OK"}


@pytest.fixture(scope="module")
def half_a_request(chat: WebFunction) -> Iterator[socket.socket]:
    """A connection whose body never comes; one wait serves this test and the next."""
    with connect(chat) as connection:
        connection.sendall(
            b"POST /api/chat HTTP/1.1\r\nHost: a\r\nX-Fc-Request-Id: 1-never\r\n"
            b"Content-Length: 1000\r\n\r\n{"
        )
        yield connection


@pytest.mark.usefixtures("half_a_request")
def test_a_head_that_takes_too_long_is_hung_up_on(chat: WebFunction) -> None:
    """Also one that keeps coming byte by byte, and one on a connection that has served before."""
    with connect(chat) as silent, connect(chat) as trickling, connect(chat) as kept:
        kept.sendall(b"GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n")
        answer = b""
        while not answer.endswith(b"}"):
            answer += kept.recv(65536)
        assert answer.startswith(b"HTTP/1.1 404 ")
        kept.sendall(b"GET /nothing HTTP/1.1\r\n")
        trickling.sendall(b"GET /nothing HTTP/1.1\r\nX: ")
        deadline, waiting = time.monotonic() + promised(20), {silent, trickling, kept}
        while waiting:
            assert time.monotonic() < deadline
            for hung_up in select.select(list(waiting), [], [], 1)[0]:
                with suppress(ConnectionError):
                    assert hung_up.recv(1) == b""
                waiting.discard(hung_up)
            if trickling in waiting:
                with suppress(ConnectionError):
                    trickling.sendall(b"x")
    assert ask(chat).status == 200


def test_a_body_that_never_comes_is_given_up(half_a_request: socket.socket) -> None:
    answer = b""
    while not answer.endswith(b"}"):
        answer += half_a_request.recv(65536)

    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b'"error":"request_timeout","request_id":"1-never"' in answer


def test_an_upload_that_is_broken_off_is_one_line_in_the_log(chat: WebFunction) -> None:
    with connect(chat) as connection:
        connection.sendall(
            b"POST /api/chat HTTP/1.1\r\nHost: a\r\nX-Fc-Request-Id: 1-broken-off\r\n"
            b"Content-Length: 1000\r\n\r\n{"
        )
        chat.logged("FC Invoke Start RequestId: 1-broken-off")

    chat.logged("FC Invoke End RequestId: 1-broken-off")
    assert len(chat.logged('"event": "client_left", "request_id": "1-broken-off"')) == 1
    assert "Traceback" not in chat.log
    assert ask(chat).status == 200


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET\r\n\r\n",
        b"POST /api/chat HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n",
        b"POST /api/chat HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"POST /api/chat HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 70_000 + b"\r\n\r\n",
        b"POST /api/chat HTTP/1.1\r\nHost: a\r\nX: a\x00b\r\n\r\n",
    ],
    ids=lambda garbage: repr(garbage[:30]),
)
def test_what_is_no_http_is_refused_and_the_next_caller_served(
    garbage: bytes, chat: WebFunction
) -> None:
    with connect(chat) as connection:
        connection.sendall(garbage)
        connection.shutdown(socket.SHUT_WR)
        answer = b"".join(iter(lambda: connection.recv(65536), b""))

    assert answer[:13] in {b"HTTP/1.1 400 ", b""}
    assert "Traceback" not in chat.log
    assert ask(chat).status == 200
