"""`scripts/invoke`: runs one function on one event, with the output of `s local invoke`."""

import argparse
import asyncio
import json
import os
import sys
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from scripts.tooling.environment import ROOT, local_environment
from scripts.tooling.local.embedded_database import is_migrated
from scripts.tooling.local.gateway import terminal
from scripts.tooling.local.gateway.builtin import Instance
from scripts.tooling.local.gateway.demo import DemoModel, has_key
from scripts.tooling.local.gateway.events import context_of, new_request_id
from scripts.tooling.local.gateway.platform_rules import read_answer
from scripts.tooling.local.gateway.processes import Process
from scripts.tooling.local.gateway.refusals import (
    FunctionTimeout,
    HandlerRaised,
    ProcessExited,
    Refusal,
)
from scripts.tooling.local.gateway.web import WebProcess, platform_headers
from scripts.tooling.local.settings_check import install_for_bucket
from scripts.tooling.manifest.s_yaml import Function, ManifestError, load


def main(arguments: Sequence[str]) -> int:
    options = _parser().parse_args(arguments)
    local, demo = local_environment(os.environ), DemoModel()
    install_for_bucket(local)
    try:
        manifest = load(ROOT / "s.yaml", demo.environment(local), strict=False)
        function = manifest.function(options.function)
        event = _event(options)
    except (ManifestError, OSError) as problem:
        print(f"scripts/invoke: {problem}", file=sys.stderr)
        return 2
    if not is_migrated(os.environ):
        return 1
    needs_demo = not has_key(local) and "OPENAI_API_KEY" in function.environment
    return asyncio.run(_run(Invocation(function, ROOT, event), demo if needs_demo else None))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="scripts/invoke", description=__doc__)
    parser.add_argument("function", help="the name of a folder in functions/")
    source = parser.add_mutually_exclusive_group()
    source.add_argument(
        "-f", "--event-file", type=Path, help="default: functions/FUNCTION/event.json"
    )
    source.add_argument("-e", "--event", help="the event itself")
    return parser


def _event(options: argparse.Namespace) -> bytes:
    if options.event is not None:
        return str(options.event).encode()
    path: Path = options.event_file or ROOT / "functions" / options.function / "event.json"
    return path.read_bytes()


async def _run(invocation: "Invocation", demo: DemoModel | None) -> int:
    async with AsyncExitStack() as stack:
        if demo:
            await stack.enter_async_context(demo.running(ROOT, lambda line: None))
        return await invocation.run()


@dataclass
class Invocation:
    """One run of a function. `output` is what the platform would return to the caller."""

    function: Function
    root: Path
    event: bytes
    request_id: str = field(default_factory=new_request_id)
    output: bytes = b""
    duration_ms: float = 0.0
    memory_mb: float = 0.0

    async def run(self) -> int:
        """Run and print everything; return 0 if the platform would accept the answer."""
        print(f"FC Invoke Start RequestId: {self.request_id}", flush=True)
        refusal = await self._attempted()
        print(f"FC Invoke End RequestId: {self.request_id}")
        print(self.output.decode("utf-8", "replace"))
        print(
            f"\n\nRequestId: {self.request_id}"
            f" \t Billed Duration: {max(1, round(self.duration_ms))} ms"
            f" \t Memory Size: {self.function.memory_mb} MB"
            f" \t Max Memory Used: {self.memory_mb:.0f} MB",
            flush=True,
        )
        if refusal:
            terminal.alarm(f"{refusal.code}: {refusal.message}\n{refusal.detail}".rstrip())
        return 1 if refusal else 0

    async def _attempted(self) -> Refusal | None:
        try:
            await (self._web() if self.function.is_web else self._builtin())
            if _is_http(self.event):
                read_answer(self.function.name, self.output)
        except Refusal as refusal:
            if isinstance(refusal, HandlerRaised):
                self.output = refusal.payload
            self.output = self.output or refusal.body(self.request_id)
            return refusal
        return None

    async def _builtin(self) -> None:
        instance = await Instance.start(self.function, self.root, _show)
        started = time.perf_counter()
        try:
            context = context_of(self.function, self.request_id)
            self.output = await instance.invoke(self.event, context)
        finally:
            self._measure(instance.process, started)
            await instance.kill()

    async def _web(self) -> None:
        server = await WebProcess.start(self.function, self.root, _show)
        started = time.perf_counter()
        try:
            await asyncio.wait_for(self._posted(server.url), self.function.timeout_seconds)
        except asyncio.TimeoutError:
            message = f"no answer within {self.function.timeout_seconds} s"
            raise FunctionTimeout(message, function=self.function.name) from None
        finally:
            self._measure(server.process, started)
            await server.process.kill()

    async def _posted(self, url: str) -> None:
        headers = platform_headers(self.function, self.request_id, "/invoke")
        async with httpx.AsyncClient(timeout=None, trust_env=False) as client:  # noqa: S113  # above
            try:
                response = await client.post(f"{url}/invoke", content=self.event, headers=headers)
            except httpx.TransportError as problem:
                raise ProcessExited(repr(problem), function=self.function.name) from None
        self.output = response.content
        if response.headers.get("x-fc-status") == "404" or response.is_error:
            message = f"/invoke failed with status {response.status_code}"
            raise ProcessExited(message, function=self.function.name)

    def _measure(self, process: Process, started: float) -> None:
        self.duration_ms = (time.perf_counter() - started) * 1000
        self.memory_mb = process.peak_memory_mb


def _show(line: str) -> None:
    if not terminal.is_correlation(line):
        print(line, flush=True)


def _is_http(event: bytes) -> bool:
    try:
        return "http" in json.loads(event)["requestContext"]
    except (ValueError, LookupError, TypeError):
        return False
