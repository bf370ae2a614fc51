"""Servers that are measured: the chat function, a bare relay, and the model that both ask."""

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from scripts.tooling.environment import ROOT
from scripts.tooling.local.gateway.processes import Process, free_port
from scripts.tooling.local.gateway.web import WebProcess
from scripts.tooling.manifest.s_yaml import load

_SAMPLE_SECONDS = 0.05
_START_SECONDS = 30


@asynccontextmanager
async def model(*options: str) -> AsyncIterator[str]:
    """Run `scripts.tooling.bench.model` with these options; yield its base URL."""
    port: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    process = await Process.start(
        [sys.executable, "-m", "scripts.tooling.bench.model", *options],
        environment=os.environ,
        directory=ROOT,
        show=lambda line: port.set_result(int(line)),
    )
    try:
        yield f"http://127.0.0.1:{await port}/v1"
    finally:
        await process.kill()


class Server:
    """A server process on one core, with its processor time and memory."""

    def __init__(self, server: WebProcess) -> None:
        self.port = int(server.url.rpartition(":")[2])
        self._pid = server.process.pid
        self._peak_kb = 0

    @property
    def cpu_ms(self) -> float:
        """Processor time of all threads; Linux derives a process's clock id from its pid."""
        return time.clock_gettime(~self._pid << 3 | 2) * 1000

    @property
    def memory_kb(self) -> int:
        pages = int(Path(f"/proc/{self._pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") // 1024

    @asynccontextmanager
    async def measured(self) -> AsyncIterator["Usage"]:
        usage = Usage()
        before_kb, before_ms = self.memory_kb, self.cpu_ms
        sampling = asyncio.create_task(self._sample_memory())
        try:
            yield usage
        finally:
            sampling.cancel()
            usage.cpu_ms = self.cpu_ms - before_ms
            usage.memory_kb = max(self._peak_kb - before_kb, 0)

    async def _sample_memory(self) -> None:
        self._peak_kb = 0
        while True:
            self._peak_kb = max(self._peak_kb, self.memory_kb)
            await asyncio.sleep(_SAMPLE_SECONDS)


class Usage:
    """Processor time of a load, and the memory that it added; set when the load has ended."""

    cpu_ms = 0.0
    memory_kb = 0


@asynccontextmanager
async def chat(variables: dict[str, str], model_url: str, core: int) -> AsyncIterator[Server]:
    """Run the chat function with limits too high to matter."""
    given = {
        **variables,
        "OPENAI_API_KEY": "sk-bench",
        "OPENAI_API_URL": model_url,
        "OPENAI_MODEL": "fixed-rate",
        "MAX_STREAMS_PER_USER": "100",
        "DAILY_FREE_MESSAGES": "1000",
        "CHAT_LIMIT": "100000/1m",
    }
    function = load(ROOT / "s.yaml", given, strict=False).function("chat")
    output: list[str] = []
    server = await WebProcess.start(function, ROOT, output.append)
    try:
        os.sched_setaffinity(server.process.pid, {core})
        yield Server(server)
    finally:
        await server.process.stop()
        _print_bad_lines(output)


@asynccontextmanager
async def relay(model_url: str, core: int) -> AsyncIterator[Server]:
    """Run `scripts.tooling.bench.relay` as uvicorn runs the chat function."""
    port = free_port()
    options = [f"--port={port}", "--no-access-log", "--no-server-header", "--no-date-header"]
    process = await Process.start(
        [sys.executable, "-m", "uvicorn", "scripts.tooling.bench.relay:app", *options],
        environment={**os.environ, "MODEL_URL": model_url},
        directory=ROOT,
        show=lambda line: None,
    )
    try:
        await asyncio.wait_for(process.listens_on(port), _START_SECONDS)
        os.sched_setaffinity(process.pid, {core})
        yield Server(WebProcess(process, port))
    finally:
        await process.kill()


def _print_bad_lines(output: list[str]) -> None:
    for line in output:
        if not line.startswith(("FC Invoke", "INFO:")) and _is_bad(line):
            print(line)


def _is_bad(line: str) -> bool:
    try:
        return bool(json.loads(line)["level"] == "error")
    except (ValueError, KeyError, TypeError):
        return True
