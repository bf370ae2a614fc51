"""The page of these tests on a web server of its own, and Chromium without a window to open it."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.patience import HANG_SECONDS

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_PAGE = Path(__file__).parent / "page.html"


class PageServer(ThreadingHTTPServer):
    """Serves the page; `/loaded-at-the-end` is answered once the page has asked for `/ended`."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.has_ended = Event()

    def origin(self, host: str) -> str:
        return f"http://{host}:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: PageServer

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path == "/":
            self._answer(_PAGE.read_bytes(), "text/html; charset=utf-8")
            return
        if path == "/ended":
            self.server.has_ended.set()
        elif path == "/loaded-at-the-end":
            self.server.has_ended.wait(HANG_SECONDS)
        self._answer(b"", "text/plain")

    def _answer(self, body: bytes, content_type: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def page_server() -> Iterator[PageServer]:
    with PageServer() as server:
        Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield server
        finally:
            server.has_ended.set()
            server.shutdown()


def chromium() -> str:
    """The path of a Chromium; the test is skipped if there is none."""
    found = next(filter(None, map(shutil.which, _NAMES)), None)
    if not found:
        pytest.skip("there is no Chromium here; on Debian: apt-get install chromium fonts-noto-cjk")
    return found


def browse(server: PageServer, host: str, api: str, folder: Path) -> dict[str, Any]:
    """Open the page under this name of a host; return the facts that it has written down.

    A picture of the page is left in `folder`.
    """
    server.has_ended.clear()
    command = [
        chromium(),
        "--headless=new",
        "--no-sandbox",  # containers and root have none
        "--no-first-run",
        "--no-proxy-server",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--disable-background-networking",
        f"--user-data-dir={folder / 'profile'}",
        f"--host-resolver-rules=MAP {host} 127.0.0.1",
        "--window-size=900,1400",
        f"--screenshot={folder / 'page.png'}",
        "--dump-dom",
        f"{server.origin(host)}/?{urlencode({'api': api})}",
    ]
    shown = subprocess.run(
        command,
        env={**os.environ, "HOME": str(folder)},
        capture_output=True,
        text=True,
        timeout=HANG_SECONDS,
    )
    facts = re.search(r'<script type="application/json" id="facts">(.*?)</script>', shown.stdout)
    assert facts, shown.stdout[-2000:] + shown.stderr[-2000:]
    return dict(json.loads(facts[1]))
