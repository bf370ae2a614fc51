"""A worker: a copy of the tree, with a database server and a folder for files of its own."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.util import cache_from_source
from pathlib import Path
from typing import Literal

from scripts.tooling.database.mariadb import private_server
from scripts.tooling.mutation.coverage import PLUGIN, Coverage, recorded, recording
from scripts.tooling.mutation.mutants import Mutant

Verdict = Literal["caught", "timeout", "survived"]

_LEFT_OUT = (
    ".git",
    ".venv*",
    ".local",
    ".build",
    ".env",
    ".*_cache",
    "__pycache__",
    "node_modules",
)
_PASSED = 0
_SLOWER = 4  # a machine may be this much busier than during the run without a mutant


class TestsFail(Exception):
    """Tests fail without a mutant; the text is the end of their output."""


@dataclass
class Worker:
    tree: Path
    environment: Mapping[str, str]
    grace_seconds: float
    _running: "subprocess.Popen[str] | None" = None
    _is_stopped: bool = False

    def measure(self, modules: Sequence[str], files: Sequence[str]) -> Coverage:
        """Run the tests without a mutant, and record what each runs. Raises: TestsFail."""
        started = time.monotonic()
        with recording(self.tree, modules):
            code, output = self._pytest(["-p", PLUGIN, *files], None)
        coverage = recorded(self.tree, time.monotonic() - started)
        if code == _PASSED:  # otherwise a name that pytest does not find would look like a failure
            code, output = self._pytest(["--collect-only", *coverage.names.values()], None)
        if code != _PASSED:
            raise TestsFail(output[-3000:])
        return coverage

    def judge(self, mutant: Mutant, tests: Sequence[str], usual_seconds: float) -> Verdict:
        """Run the tests on the mutant until one fails, or until they take far too long."""
        if not tests:
            return "survived"
        with self._changed(mutant):
            try:
                code, _ = self._pytest(["-x", *tests], self.grace_seconds + _SLOWER * usual_seconds)
            except subprocess.TimeoutExpired:
                return "timeout"
        return "survived" if code == _PASSED else "caught"

    def stop(self) -> None:
        """End the running tests; further ones end at once."""
        self._is_stopped = True
        if self._running is not None:
            _kill(self._running)

    @contextmanager
    def _changed(self, mutant: Mutant) -> Iterator[None]:
        path = self.tree / mutant.module
        original = path.read_bytes()
        try:
            _write(path, mutant.source)
            yield
        finally:
            _write(path, original)

    def _pytest(self, arguments: Sequence[str], seconds: float | None) -> tuple[int, str]:
        options = ("-q", "--tb=short", "-p", "no:xdist", "-p", "no:cacheprovider")
        with tempfile.TemporaryDirectory(dir=self.environment["TMPDIR"]) as folder:
            process = subprocess.Popen(
                [sys.executable, "-m", "pytest", *options, f"--basetemp={folder}/t", *arguments],
                cwd=self.tree,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
            )
            self._running = process
            try:
                output, _ = process.communicate(timeout=0 if self._is_stopped else seconds)
            finally:
                _kill(process)  # also what the tests left running
                process.wait()
                self._running = None
        return process.returncode, output


def _kill(process: "subprocess.Popen[str]") -> None:
    """Kill the process and its group."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


@contextmanager
def working(root: Path, grace_seconds: float) -> Iterator[Worker]:
    """A worker on a fresh copy of the tree; the copy and its server end with it."""
    with (
        tempfile.TemporaryDirectory(prefix="mutate-", ignore_cleanup_errors=True) as folder,
        private_server() as server,
    ):
        tree, files = Path(folder, "tree"), Path(folder, "tmp")
        shutil.copytree(root, tree, ignore=shutil.ignore_patterns(*_LEFT_OUT))
        files.mkdir()
        environment = {**os.environ, "TEST_MYSQL_URL": server, "TMPDIR": str(files)}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)  # each mutant would compile all tests
        yield Worker(tree, environment, grace_seconds)


def _write(path: Path, content: bytes) -> None:
    """Write the module and remove its bytecode, which could pass for that of the new text."""
    path.write_bytes(content)
    Path(cache_from_source(str(path))).unlink(missing_ok=True)
