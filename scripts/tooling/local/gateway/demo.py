"""The process of the demo model, which runs if no API key of a real model is set."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from scripts.tooling.local.gateway.processes import Process, Show, free_port
from shared.config import variables
from shared.settings import Model

_START_SECONDS = 30
_KEY_NAMES = next(v.names for v in variables(Model) if "OPENAI_API_KEY" in v.names)


class DemoModel:
    """The demo model, on a port of its own."""

    def __init__(self) -> None:
        self.port = free_port()

    def environment(self, environ: Mapping[str, str]) -> Mapping[str, str]:
        """Return `environ`; without the key of a real model it points to the demo model."""
        if has_key(environ):
            return environ
        return {
            **environ,
            "OPENAI_API_KEY": "demo",
            "OPENAI_API_URL": f"http://127.0.0.1:{self.port}/v1",
            "OPENAI_MODEL": "demo",
            "OPENAI_VISION": "true",
        }

    @asynccontextmanager
    async def running(self, root: Path, show: Show) -> AsyncIterator[None]:
        """Run the demo model in a process. Raises: SystemExit, when it does not start."""
        process = await Process.start(
            [
                sys.executable,
                "-u",
                "-m",
                "scripts.tooling.local.demo_model",
                "--port",
                str(self.port),
            ],
            environment={"LANG": "C.UTF-8", "PATH": os.environ.get("PATH", os.defpath)},
            directory=root,
            show=show,
        )
        try:
            if not await asyncio.wait_for(process.listens_on(self.port), _START_SECONDS):
                raise SystemExit("the demo model did not start")
            yield
        finally:
            await process.kill()


def has_key(environ: Mapping[str, str]) -> bool:
    return any(environ.get(name, "").strip() for name in _KEY_NAMES)
