"""Importing a function has no side effects."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FUNCTIONS = sorted(file.parent.name for file in ROOT.glob("functions/*/index.py"))

WATCH = Path(__file__).with_name("watch_import.py")


def done_by_importing(module: str, root: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-B", str(WATCH), str(root), module],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("function", FUNCTIONS)
def test_nothing_happens_at_import_but_definitions(function: str) -> None:
    assert done_by_importing(f"functions.{function}.index", ROOT) == ""


@pytest.mark.parametrize(
    ("statement", "deed"),
    [
        ("import os; os.environ.get('DATABASE_URL')", "reads DATABASE_URL"),
        ("import os; os.getenv('DATABASE_URL')", "reads DATABASE_URL"),
        ("open(__file__ + '.txt', 'w')", "opens {file}.txt"),
        ("import pathlib; pathlib.Path('/etc/hostname').read_bytes()", "opens /etc/hostname"),
        ("import sqlite3; sqlite3.connect(':memory:')", "sqlite3.connect"),
        ("import socket; socket.socket().connect_ex(('127.0.0.1', 9))", "socket.connect"),
        ("import subprocess; subprocess.run(['true'])", "subprocess.Popen"),
    ],
)
def test_a_deed_at_import_is_named_with_its_line(statement: str, deed: str, tmp_path: Path) -> None:
    module = tmp_path / "shared" / "eager.py"
    module.parent.mkdir()
    module.write_text(f'"""Too early."""\n\n{statement}\n')

    told = done_by_importing("shared.eager", tmp_path).splitlines()

    assert f"shared/eager.py:3 {deed.format(file=module)}" in told


def test_the_watched_process_sees_the_real_variables(tmp_path: Path) -> None:
    module = tmp_path / "shared" / "eager.py"
    module.parent.mkdir()
    module.write_text("import os\nif os.environ['PATH']:\n    open('/dev/null')\n")

    assert os.environ["PATH"]
    assert done_by_importing("shared.eager", tmp_path).splitlines() == [
        "shared/eager.py:2 reads PATH",
        "shared/eager.py:3 opens /dev/null",
    ]
