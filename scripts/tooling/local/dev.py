"""`scripts/dev`: serves the whole backend on one local port, in the way Function Compute does."""

import argparse
import asyncio
import logging
import os
import socket
import sys
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack

from scripts.tooling.environment import ROOT, local_environment, reached_at, unreadable_lines
from scripts.tooling.local.embedded_database import is_migrated
from scripts.tooling.local.gateway import server, terminal
from scripts.tooling.local.gateway.demo import DemoModel, has_key
from scripts.tooling.local.settings_check import install_for_bucket, problems
from scripts.tooling.local.welcome import welcome
from scripts.tooling.manifest.s_yaml import Manifest, ManifestError, load


def main(arguments: Sequence[str]) -> int:
    options = _parser().parse_args(arguments)
    try:
        listener = listen(options.host, options.port)
    except (OSError, OverflowError) as problem:
        reason = str(problem).partition(" (")[0]
        _print_error(f"cannot listen on {options.host}:{options.port}: {reason}")
        return 1
    logging.getLogger("dotenv").setLevel(logging.ERROR)  # unreadable_lines reports them
    environ = dict(os.environ)  # a copy: migrations add .env to os.environ
    with listener:
        try:
            return _run(listener, Configuration(_url(listener), environ), options)
        except ManifestError as problem:
            for line in str(problem).splitlines():
                _print_error(line)
            return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="scripts/dev", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--routes", action="store_true", help="list the routes of s.yaml too")
    return parser


def _print_error(line: str) -> None:
    print(f"scripts/dev: {line}", file=sys.stderr)


class Configuration:
    """The configuration to serve: s.yaml with the current `.env`, the process, local defaults."""

    def __init__(self, url: str, environ: Mapping[str, str]) -> None:
        self.url = url
        self.environ = environ
        at_start = local_environment(environ)
        install_for_bucket(at_start)
        self.demo = None if has_key(at_start) else DemoModel()

    def manifest(self) -> Manifest:
        """Read s.yaml and `.env` again. The demo model needs that no key was set at the start.

        Raises: ManifestError, with one line for each error in s.yaml or a variable.
        """
        current = {**local_environment(self.environ), **reached_at(self.url)}
        given = self.demo.environment(current) if self.demo else current
        manifest = load(ROOT / "s.yaml", given, strict=False)
        errors = [*unreadable_lines(ROOT / ".env"), *problems(manifest, given)]
        if errors:
            raise ManifestError("\n".join(errors))
        return manifest

    def welcome(self, *, routes: bool) -> str:
        manifest, variables = self.manifest(), local_environment(self.environ)
        shown = manifest.routes if routes else ()
        return welcome(self.url, shown, variables, demo=self.demo is not None)


def _run(listener: socket.socket, configuration: Configuration, options: argparse.Namespace) -> int:
    """Check the configuration, migrate, and serve.

    Raises: ManifestError, before the database is touched.
    """
    text = configuration.welcome(routes=options.routes)
    if not is_migrated(configuration.environ):
        return 1
    asyncio.run(_serve(listener, configuration, text))
    return 0


def listen(host: str, port: int) -> socket.socket:
    """Open the listening socket. Raises: OSError, when the port is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=1024)


async def _serve(listener: socket.socket, configuration: Configuration, text: str) -> None:
    async with AsyncExitStack() as stack:
        if configuration.demo:
            show = terminal.labelled("demo")
            await stack.enter_async_context(configuration.demo.running(ROOT, show))
        await server.serve(listener, ROOT, configuration.manifest, lambda: terminal.note(text))


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    if host in {"0.0.0.0", "::"}:  # noqa: S104  # compared, not bound
        host = "127.0.0.1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
