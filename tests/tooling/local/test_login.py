"""scripts/login reports a failed login in one line."""

import subprocess
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from scripts.tooling.local.dev import listen
from tests.tooling.local.dev_process import ADMIN, copy_project, environment, write_env


class Answering(BaseHTTPRequestHandler):
    """Answers every request as the start of the path, before `/api`, says."""

    answers: Mapping[str, tuple[int, bytes]] = {
        "refused": (401, b'{"code":401,"message":"No.","error":"wrong_credentials"}'),
        "page": (200, b"<html>"),
        "other": (200, b'{"ok": true}'),
    }

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        status, body = self.answers[self.path.split("/")[1]]
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_project(tmp_path_factory.mktemp("login"))


def login(project: Path, base: str) -> tuple[int, str, str]:
    command = [str(project / "scripts" / "login"), base]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True)
    assert ADMIN["ADMIN_PASSWORD"] not in done.stderr
    return done.returncode, done.stdout, done.stderr


def test_without_an_administrator_in_env(project: Path) -> None:
    write_env(project, {"ADMIN_USERNAME": "boss"})

    told = "scripts/login: put ADMIN_USERNAME and ADMIN_PASSWORD into .env first\n"
    assert login(project, "http://127.0.0.1:1") == (1, "", told)


def test_without_a_server(project: Path) -> None:
    write_env(project, ADMIN)
    with listen("127.0.0.1", 0) as taken:
        base = f"http://127.0.0.1:{taken.getsockname()[1]}"

    code, out, err = login(project, base)

    assert (code, out) == (1, "")
    assert err.startswith(f"scripts/login: {base} does not answer (")
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("who", "told"),
    [
        ("refused", "wrong_credentials: No."),
        ("page", "what answers at {base} is not this backend"),
        ("other", "what answers at {base} is not this backend"),
    ],
)
def test_with_another_answer(project: Path, who: str, told: str) -> None:
    write_env(project, ADMIN)
    with ThreadingHTTPServer(("127.0.0.1", 0), Answering) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        base = f"http://127.0.0.1:{server.server_port}/{who}"
        answer = login(project, base)
        server.shutdown()

    assert answer == (1, "", f"scripts/login: {told.format(base=base)}\n")
