"""Starts real processes of functions and calls them over HTTP or with events."""

import asyncio
import json
import re
import ssl
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import httpx

from scripts.tooling.environment import ROOT
from scripts.tooling.local.gateway.builtin import Instance
from scripts.tooling.local.gateway.events import context_of
from scripts.tooling.local.gateway.processes import environment_of, free_port
from scripts.tooling.manifest.s_yaml import Function, load
from tests.events import Reply, call
from tests.patience import HANG_SECONDS

Found = TypeVar("Found")

# For clients of plain HTTP: otherwise each reads the certificates of the system, for 50 ms.
NO_CERTIFICATES = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


@dataclass(frozen=True)
class WebFunction:
    """A running web function; `client` keeps its connections."""

    port: int
    process: "subprocess.Popen[bytes]"
    client: httpx.Client
    variables: Mapping[str, str] = field(repr=False)
    _output: Path

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        """The output so far, of stdout and stderr."""
        return self._output.read_text("utf-8")

    def logged(self, text: str) -> list[str]:
        """Wait for lines with this text and return them."""
        return eventually(lambda: [line for line in self.log.splitlines() if text in line])


@contextmanager
def serving(name: str, clock: Path | None = None, /, **variables: str) -> Iterator[WebFunction]:
    """Run the command of s.yaml on a free port of the loopback interface.

    It gets the variables that s.yaml passes on. `clock` is a file with the shift of its
    clock in milliseconds.
    """
    given = {"APP_ENV": "test", **variables}
    function, port = load(ROOT / "s.yaml", given, strict=False).function(name), free_port()
    with tempfile.NamedTemporaryFile(suffix=".log") as log:
        process = subprocess.Popen(
            _on_port(function, port),
            cwd=ROOT,
            env={**environment_of(function), **_moved(clock)},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            base = f"http://127.0.0.1:{port}"
            with httpx.Client(
                base_url=base, verify=NO_CERTIFICATES, timeout=HANG_SECONDS
            ) as client:
                web = WebFunction(port, process, client, given, Path(log.name))
                eventually(lambda: _listens(web))
                yield web
        finally:
            process.terminate()
            process.wait(HANG_SECONDS)


@contextmanager
def invoked(name: str, **variables: str) -> Iterator[Callable[[bytes], Reply]]:
    """Start a built-in function in a process that takes one event after another."""
    given = {"APP_ENV": "test", **variables}
    function = load(ROOT / "s.yaml", given, strict=False).function(name)
    context, loop = context_of(function, "1-invoked"), asyncio.new_event_loop()
    instance = loop.run_until_complete(Instance.start(function, ROOT, lambda line: None))

    def handler(event: bytes, _: object) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(
            loop.run_until_complete(instance.invoke(event, context))
        )
        return answer

    try:
        yield lambda event: call(handler, event)
    finally:
        loop.run_until_complete(instance.kill())
        loop.close()


def _moved(clock: Path | None) -> dict[str, str]:
    if clock is None:
        return {}
    return {"PYTHONPATH": str(ROOT / "tests/fakes/clock"), "CLOCK_MOVED_BY": str(clock)}


def eventually(look: Callable[[], Found]) -> Found:
    """Call until the result is true, and return it."""
    deadline = time.monotonic() + HANG_SECONDS
    while not (found := look()):
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)
    return found


def _on_port(function: Function, port: int) -> list[str]:
    moved = [re.sub(rf"\b{function.port}\b", str(port), part) for part in function.command]
    return [part.replace("0.0.0.0", "127.0.0.1") for part in moved]  # noqa: S104  # replaced


def _listens(web: WebFunction) -> bool:
    assert web.process.poll() is None, web.log
    try:
        return bool(web.client.get("/").status_code)
    except httpx.TransportError:
        return False
