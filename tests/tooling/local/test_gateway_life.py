"""Start, reload and end of the gateway."""

import signal
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from scripts.tooling.environment import ROOT
from scripts.tooling.local.dev import listen
from tests.patience import HANG_SECONDS
from tests.tooling.local.gateways import RunningGateway, eventually, is_running, running_gateway

pytestmark = pytest.mark.timeout(300)


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_a_changed_function_serves_the_next_request(tmp_path: Path) -> None:
    with running_gateway(tmp_path) as gateway:
        for name in ("echo", "web"):
            httpx.get(f"{gateway.base}/{name}/pid").raise_for_status()
        change(tmp_path / "functions/echo/index.py", "os.getpid()", "-1")
        change(tmp_path / "functions/web/index.py", "str(os.getpid()).encode()", 'b"-1"')
        for name in ("echo", "web"):
            url = f"{gateway.base}/{name}/pid"
            eventually(lambda url=url: httpx.get(url).text == "-1")  # type: ignore[misc]


def test_a_changed_manifest_is_served_and_a_broken_one_is_not(tmp_path: Path) -> None:
    with running_gateway(tmp_path) as gateway:
        url = f"{gateway.base}/echo/environment"
        change(tmp_path / "s.yaml", "GREETING: hello", "GREETING: goodbye")
        eventually(lambda: httpx.get(url).json()["GREETING"] == "goodbye")
        change(tmp_path / "s.yaml", "GREETING: goodbye", "GREETING: 5")
        eventually(lambda: "!! not reloaded: s.yaml:" in gateway.log)
        assert httpx.get(url).json()["GREETING"] == "goodbye"


def test_a_reload_lets_running_requests_finish(tmp_path: Path) -> None:
    with (
        running_gateway(tmp_path) as gateway,
        httpx.stream("GET", f"{gateway.base}/web/stream", timeout=HANG_SECONDS) as answer,
    ):
        chunks = answer.iter_raw()
        assert next(chunks) == b"first"
        pid, port = (int(httpx.get(f"{gateway.base}/web/{n}").text) for n in ("pid", "port"))
        (tmp_path / "shared" / "new.py").touch()
        eventually(lambda: httpx.get(f"{gateway.base}/web/pid").text != str(pid))
        socket.create_connection(("127.0.0.1", port)).close()  # nobody has told it to end
        (tmp_path / "gate").touch()
        assert b"".join(chunks) == b"last"
        eventually(lambda: not is_running(pid))


def test_a_busy_instance_ends_after_its_request_when_it_was_reloaded_meanwhile(
    tmp_path: Path,
) -> None:
    with running_gateway(tmp_path) as gateway, ThreadPoolExecutor(1) as pool:
        answer = pool.submit(httpx.get, f"{gateway.base}/echo/wait", timeout=HANG_SECONDS)
        waiting = eventually(lambda: list(tmp_path.glob("waiting-*")))
        pid = int(waiting[0].name.partition("-")[2])
        (tmp_path / "shared" / "new.py").touch()
        eventually(lambda: "reloaded after a change of new.py" in gateway.log)
        (tmp_path / "gate").touch()
        assert answer.result().text == "through"
        eventually(lambda: not is_running(pid))


def children(gateway: RunningGateway) -> list[int]:
    """A frozen worker, a busy worker, and a web process with an open stream."""
    return [int(httpx.get(f"{gateway.base}/{n}/pid").text) for n in ("echo", "hasty", "web")]


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 0), (signal.SIGKILL, -9)]
)
def test_no_process_outlives_the_gateway(tmp_path: Path, number: signal.Signals, code: int) -> None:
    with (
        running_gateway(tmp_path) as gateway,
        httpx.stream("GET", f"{gateway.base}/web/stream", timeout=HANG_SECONDS) as answer,
    ):
        assert next(answer.iter_raw()) == b"first"
        started = children(gateway)
        assert [is_running(pid) for pid in started] == [True] * 3
        assert gateway.stop(number) == code
        eventually(lambda: not any(is_running(pid) for pid in started))


def test_a_web_function_may_finish_its_shutdown(tmp_path: Path) -> None:
    with running_gateway(tmp_path) as gateway:
        httpx.get(f"{gateway.base}/web/pid").raise_for_status()
        gateway.stop()
        assert (tmp_path / "web-stopped").exists()


def test_a_port_in_use_is_said_in_one_line() -> None:
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        done = subprocess.run(
            [
                sys.executable,
                "-c",
                f"from scripts.tooling.local.dev import main; exit(main(['--port', '{port}']))",
            ],
            cwd=ROOT,
            capture_output=True,
            text=True,
        )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"scripts/dev: cannot listen on 127.0.0.1:{port}: ")
    assert done.stderr.count("\n") == 1
