"""Serves a manifest on one socket until a signal, and reloads it when files change."""

import asyncio
import contextlib
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import uvicorn
from watchfiles import Change, DefaultFilter, awatch

from scripts.tooling.local.gateway import terminal
from scripts.tooling.local.gateway.app import Gateway
from scripts.tooling.manifest.s_yaml import Manifest, ManifestError

WATCHED_FOLDERS = ("functions", "shared")
WATCHED_FILES = frozenset({"s.yaml", ".env"})

Configure = Callable[[], Manifest]


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers, which would end this process before its children."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def serve(
    listener: socket.socket, root: Path, configure: Configure, ready: Callable[[], None]
) -> None:
    """Serve until SIGINT or SIGTERM, then end all child processes.

    Raises:
        ManifestError: the manifest is invalid at the start. Later errors are only printed.
    """
    gateway = Gateway(configure(), root)
    server = _Server(_settings(gateway))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, lambda: setattr(server, "should_exit", True))
    watchers = [
        asyncio.create_task(_watch_folders(gateway, root, configure)),
        asyncio.create_task(_watch_files(gateway, root, configure)),
    ]
    gateway.start()
    loop.call_soon(ready)
    try:
        await server.serve(sockets=[listener])
    finally:
        for watcher in watchers:
            watcher.cancel()
        await asyncio.gather(*watchers, return_exceptions=True)
        await gateway.close()


def _settings(gateway: Gateway) -> uvicorn.Config:
    return uvicorn.Config(
        gateway,
        loop="asyncio",
        http="h11",
        ws="none",
        lifespan="off",
        log_level="critical",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=1,
    )


async def _watch_folders(gateway: Gateway, root: Path, configure: Configure) -> None:
    folders = [root / name for name in WATCHED_FOLDERS if (root / name).is_dir()]
    async for changes in awatch(*folders, watch_filter=DefaultFilter(), debounce=400):
        await _reload(gateway, configure, changes)


async def _watch_files(gateway: Gateway, root: Path, configure: Configure) -> None:
    """Reload when a file changes; watch its directory, because editors replace files."""

    def is_watched(change: Change, path: str) -> bool:
        return Path(path).name in WATCHED_FILES

    async for changes in awatch(root, watch_filter=is_watched, recursive=False, debounce=400):
        await _reload(gateway, configure, changes)


async def _reload(
    gateway: Gateway, configure: Configure, changes: "set[tuple[Change, str]]"
) -> None:
    names = ", ".join(sorted({Path(path).name for _, path in changes})[:3])
    try:
        await gateway.reload(configure())
    except ManifestError as problem:
        for line in str(problem).splitlines():
            terminal.alarm(f"not reloaded: {line}")
    else:
        terminal.note(f"reloaded after a change of {names}")
