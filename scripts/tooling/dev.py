"""The whole backend on one port of this machine, on the same path Function Compute uses."""

import argparse
import asyncio
import os
import socket
import sys
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack

from scripts.tooling.environment import ROOT, local_environment, reached_at
from scripts.tooling.gateway import server, terminal
from scripts.tooling.gateway.demo import DemoModel, has_key
from scripts.tooling.local_database import is_migrated
from scripts.tooling.manifest import Manifest, ManifestError, load
from scripts.tooling.welcome import welcome


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="scripts/dev", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    options = parser.parse_args(arguments)
    try:
        listener = listen(options.host, options.port)
    except (OSError, OverflowError) as problem:
        where = f"{options.host}:{options.port}"
        reason = str(problem).partition(" (")[0]
        print(f"scripts/dev: cannot listen on {where}: {reason}", file=sys.stderr)
        return 1
    environ = dict(os.environ)  # as it is before migrating puts .env into it
    with listener:
        if not is_migrated(environ):
            return 1
        try:
            asyncio.run(_serve(listener, environ))
        except ManifestError as problem:
            print(f"scripts/dev: {problem}", file=sys.stderr)
            return 1
    return 0


def listen(host: str, port: int) -> socket.socket:
    """Raises: OSError, when the port is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=1024)


async def _serve(listener: socket.socket, environ: Mapping[str, str]) -> None:
    at_start = local_environment(environ)
    demo = None if has_key(at_start) else DemoModel()

    def configure() -> Manifest:
        """A key that came into .env since the start ends the demo; it begins at a start only."""
        current = {**local_environment(environ), **reached_at(_url(listener))}
        variables = demo.environment(current) if demo else current
        return load(ROOT / "s.yaml", variables, strict=False)

    def ready() -> None:
        text = welcome(_url(listener), configure(), at_start, demo=demo is not None)
        terminal.note(text)

    async with AsyncExitStack() as stack:
        if demo:
            await stack.enter_async_context(demo.running(ROOT, terminal.labelled("demo")))
        await server.serve(listener, ROOT, configure, ready)


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    if host in {"0.0.0.0", "::"}:  # noqa: S104  # compared, not bound
        host = "127.0.0.1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
