"""scripts/invoke: one function, one event, printed as `s local invoke` prints it."""

import asyncio
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from scripts.tooling.local.gateway.events import Call, to_event
from scripts.tooling.local.invoke import Invocation, main
from scripts.tooling.manifest.s_yaml import load
from tests.tooling.local.gateways import write_tree

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("tree")
    write_tree(root)
    return root


def event(path: str, body: bytes = b"") -> bytes:
    call = Call("POST", path, path, "", "HTTP/1.1", (), "127.0.0.1")
    return to_event(call, body)


def invoke(root: Path, name: str, given: bytes) -> int:
    function = load(root / "s.yaml", {}).function(name)
    return asyncio.run(Invocation(function, root, given, request_id="1-abc").run())


def test_the_log_stands_between_start_and_end_and_the_answer_follows(
    tree: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert invoke(tree, "echo", event("/echo/print")) == 0
    lines = capfd.readouterr().out.splitlines()
    record = lines.pop(5)
    last = lines.pop()
    assert lines == [
        "FC Invoke Start RequestId: 1-abc",
        "imported",
        "on stdout",
        "on stderr",
        "\x00E\ufffd raw",
        "FC Invoke End RequestId: 1-abc",
        '{"statusCode": 200, "headers": {}, "isBase64Encoded": false, "body": "printed"}',
        "",
        "",
    ]
    assert re.fullmatch(r"[\d:.TZ-]{24} 1-abc \[INFO\] a record", record)
    assert re.fullmatch(
        r"RequestId: 1-abc \t Billed Duration: \d+ ms"
        r" \t Memory Size: 256 MB \t Max Memory Used: \d+ MB",
        last,
    )


def test_an_event_that_is_no_http_request_may_be_answered_with_anything(tree: Path) -> None:
    function = load(tree / "s.yaml", {}).function("echo")
    nightly = replace(function, handler="functions.echo.index.on_timer")
    invocation = Invocation(nightly, tree, b'{"triggerName": "nightly"}')
    assert (asyncio.run(invocation.run()), invocation.output) == (0, b"nightly is done")


def test_an_exception_is_shown_as_the_platform_shows_it(
    tree: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert invoke(tree, "echo", event("/echo/raise")) == 1
    said = capfd.readouterr()
    error = json.loads(said.out.splitlines()[3])
    assert (error["errorType"], error["errorMessage"]) == ("ValueError", "a secret of the house")
    assert "!! UnhandledInvocationError: echo raised ValueError" in said.err


@pytest.mark.parametrize(
    ("name", "path", "code"),
    [
        ("echo", "/echo/output", "BadResponse"),
        ("echo", "/echo/exit", "ProcessExitedUnexpectedly"),
        ("hasty", "/hasty/hang", "FunctionTimeout"),
        ("broken", "/broken", "FunctionNotStarted"),
        ("web", "/web/echo", "BadResponse"),
    ],
)
def test_what_the_platform_would_refuse_exits_with_1(
    tree: Path, capfd: pytest.CaptureFixture[str], name: str, path: str, code: str
) -> None:
    assert invoke(tree, name, event(path, b"no four keys")) == 1
    assert f"!! {code}: " in capfd.readouterr().err


def test_a_web_function_gets_the_event_at_invoke_with_the_platforms_headers(
    tree: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert invoke(tree, "web", b"any event") == 0
    seen = json.loads(capfd.readouterr().out.splitlines()[2])
    assert (seen["method"], seen["path"], seen["body"]) == ("POST", "/invoke", "any event")
    assert {"x-fc-control-path": "/invoke", "x-fc-request-id": "1-abc"}.items() <= dict(
        seen["headers"]
    ).items()


def test_wrong_usage_exits_with_2(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["absent", "-e", "{}"]) == 2
    assert "there is no function absent" in capfd.readouterr().err
    assert main(["health", "-f", "/absent.json"]) == 2
    with pytest.raises(SystemExit) as ended:
        main([])
    assert ended.value.code == 2
