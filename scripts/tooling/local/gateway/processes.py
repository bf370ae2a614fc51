"""Child processes: each ends with this process, and its output is passed on line by line."""

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from scripts.tooling.manifest.s_yaml import Function

Show = Callable[[str], None]

_TETHER = Path(__file__).with_name("tether.py")
_LONGEST_LINE = 1 << 20


def environment_of(function: Function) -> dict[str, str]:
    """The environment of the manifest, with the few variables that every process needs.

    This interpreter replaces the platform's, so it comes first on PATH.
    """
    given = {k: v for k, v in function.environment.items() if not k.startswith("FC_")}
    path = os.pathsep.join([str(Path(sys.executable).parent), given.get("PATH", os.defpath)])
    return {"LANG": "C.UTF-8", "TZ": "UTC", **given, "PATH": path}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Process:
    def __init__(self, child: asyncio.subprocess.Process, pump: "asyncio.Task[None]") -> None:
        self._child = child
        self._pump = pump

    @classmethod
    async def start(
        cls,
        command: Sequence[str],
        *,
        environment: Mapping[str, str],
        directory: Path,
        show: Show,
        descriptors: Sequence[int] = (),
    ) -> "Process":
        """Start a process; its output goes to `show`, and it inherits `descriptors`."""
        tether = [sys.executable, "-I", "-S", str(_TETHER), str(os.getpid())]
        child = await asyncio.create_subprocess_exec(
            *tether,
            *command,
            env=environment,
            cwd=directory,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            limit=_LONGEST_LINE,
            pass_fds=descriptors,
            start_new_session=True,
        )
        return cls(child, asyncio.create_task(_pass_on(child.stdout, show)))

    @property
    def pid(self) -> int:
        return self._child.pid

    @property
    def is_alive(self) -> bool:
        return self._child.returncode is None

    @property
    def peak_memory_mb(self) -> float:
        """The peak memory; zero where the system does not report it."""
        try:
            status = Path(f"/proc/{self._child.pid}/status").read_text()
        except OSError:
            return 0.0
        peaks = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:")]
        return int(peaks[0]) / 1024 if peaks else 0.0

    async def listens_on(self, port: int) -> bool:
        """Wait until the process listens on the port; return False if it ends before."""
        while self.is_alive:
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                return True
            await asyncio.sleep(0.03)
        return False

    def freeze(self) -> None:
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    async def stop(self, grace_seconds: float = 3) -> None:
        self._signal(signal.SIGTERM)
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._child.wait(), grace_seconds)
        await self.kill()

    async def kill(self) -> None:
        """Kill the process; return when it has ended and its output has been shown."""
        self._signal(signal.SIGKILL)
        await self._child.wait()
        await asyncio.wait({self._pump}, timeout=1)

    def _signal(self, number: signal.Signals) -> None:
        if self.is_alive:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._child.pid, number)


async def _pass_on(stream: asyncio.StreamReader | None, show: Show) -> None:
    while stream is not None:
        try:
            line = await stream.readline()
        except ValueError:
            line = b"(a line over 1 MB)\n"
        if not line:
            return
        show(line.decode("utf-8", "replace").rstrip("\r\n"))
