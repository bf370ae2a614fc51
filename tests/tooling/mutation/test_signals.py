"""`scripts/mutate` under SIGINT and SIGTERM: its processes end, and its copies are removed."""

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.tooling.environment import ROOT
from tests.patience import HANG_SECONDS
from tests.web import eventually

# Without a mutant it passes. On a mutant it starts a process and hangs, as a server could.
HANGS = """
import subprocess, sys
from doubled import double

def test_it():
    if double(2) != 4:
        child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
        print(child.pid, file=open(PIDS, "w"), flush=True)
        child.wait()
"""


@pytest.fixture
def pids(tmp_path: Path) -> Path:
    """The file that names a process which a test on a mutant started."""
    return tmp_path / "pids"


@pytest.fixture
def temporary(tmp_path: Path) -> Path:
    folder = tmp_path / "temporary"
    folder.mkdir()
    return folder


@pytest.fixture
def run(tmp_path: Path, temporary: Path, pids: Path) -> Iterator["subprocess.Popen[str]"]:
    """A run whose first mutant is caught and whose second one hangs."""
    root = tmp_path / "root"
    (root / "tests").mkdir(parents=True)
    (root / "caught.py").write_text("def same(n):\n    return n\n")
    (root / "test_caught.py").write_text(
        "from caught import same\n\ndef test_it():\n    assert same(2) == 2\n"
    )
    (root / "doubled.py").write_text("def double(n):\n    return n + n\n")
    (root / "test_doubled.py").write_text(HANGS.replace("PIDS", repr(str(pids))))
    (root / "tests/mutation.yaml").write_text(
        "tests: {caught.py: [test_caught.py], doubled.py: [test_doubled.py]}\n"
    )
    environ = {name: value for name, value in os.environ.items() if name != "TEST_MYSQL_URL"}
    with subprocess.Popen(
        ["scripts/mutate", "--root", root, "--grace", "1000"],
        cwd=ROOT,
        env=environ | {"TMPDIR": str(temporary)},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield process
        process.kill()


def commands_with(text: str) -> list[str]:
    """The command lines of running processes that hold this text."""
    done = subprocess.run(["ps", "-Aww", "-o", "args="], capture_output=True, text=True, check=True)
    return [line for line in done.stdout.splitlines() if text in line]


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_all_processes_and_removes_the_copies(
    run: "subprocess.Popen[str]", pids: Path, temporary: Path, number: signal.Signals
) -> None:
    child = int(eventually(lambda: pids.exists() and pids.read_text().strip()))
    assert any("mariadbd" in command for command in commands_with(str(temporary)))

    run.send_signal(number)
    output, _ = run.communicate(timeout=HANG_SECONDS)

    assert run.returncode == 128 + number
    assert output.splitlines()[-1].split()[:3] == ["total", "1", "1"]  # judged before the signal
    assert not commands_with(str(temporary))
    eventually(lambda: not is_alive(child))
    assert list(temporary.iterdir()) == []
