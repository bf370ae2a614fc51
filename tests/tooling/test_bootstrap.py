"""A command starts under whatever python3 there is and continues in an environment of its own."""

import ast
import os
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

from scripts.tooling import interpreters
from scripts.tooling.environment import ROOT
from scripts.tooling.gate import executables

COMMAND = """#!/usr/bin/env python3
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from scripts.tooling.bootstrap import inside_venv

inside_venv(__file__)
import greeting

print(Path(sys.prefix).name, greeting.TEXT, *sys.argv[1:])
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A small project with our bootstrap, one command, and one requirement."""
    tooling = tmp_path / "scripts" / "tooling"
    tooling.mkdir(parents=True)
    for name in ("__init__.py", "bootstrap.py", "interpreters.py"):
        shutil.copy(ROOT / "scripts" / "tooling" / name, tooling)
    (tmp_path / "scripts" / "__init__.py").touch()
    command = tmp_path / "scripts" / "greet"
    command.write_text(COMMAND)
    command.chmod(0o755)
    (tmp_path / "requirements-dev.txt").write_text("-r requirements.txt\n")
    _require(tmp_path, _wheel(tmp_path, "1", "hello"))
    return tmp_path


def _wheel(folder: Path, version: str, text: str) -> Path:
    path = folder / f"greeting-{version}-py3-none-any.whl"
    info = f"greeting-{version}.dist-info"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr("greeting.py", f"TEXT = {text!r}\n")
        wheel.writestr(
            f"{info}/METADATA", f"Metadata-Version: 2.1\nName: greeting\nVersion: {version}\n"
        )
        wheel.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{info}/RECORD", "")
    return path


def _require(project: Path, wheel: Path) -> None:
    (project / "requirements.txt").write_text(f"{wheel}\n")


def _start(project: Path, *arguments: str, **extra: str) -> "subprocess.Popen[str]":
    environ = {name: value for name, value in os.environ.items() if name != "FC_AI_PYTHON"}
    return subprocess.Popen(
        [project / "scripts" / "greet", *arguments],
        env=environ | {"PIP_NO_INDEX": "1"} | extra,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _run(project: Path, *arguments: str, **extra: str) -> tuple[int, str, str]:
    process = _start(project, *arguments, **extra)
    out, err = process.communicate()
    return process.returncode, out, err


def test_twins_on_a_fresh_clone_share_one_installation(project: Path) -> None:
    twins = [_start(project, "a b"), _start(project, "c")]
    answers = [twin.communicate() for twin in twins]

    assert [out for out, _ in answers] == [".venv hello a b\n", ".venv hello c\n"]
    assert sorted(err for _, err in answers) == [
        "",
        "installing requirements-dev.txt into .venv ...\n",
    ]
    assert _run(project, "again") == (0, ".venv hello again\n", "")


def test_a_failed_installation_says_so_and_is_tried_again(project: Path) -> None:
    good = _wheel(project, "2", "good day")
    _require(project, project / "missing-1-py3-none-any.whl")

    code, out, err = _run(project)

    assert (code, out) == (1, "")
    assert err.splitlines()[-1] == (
        "The packages of requirements-dev.txt could not be installed; pip says why above."
    )
    assert "missing-1-py3-none-any.whl" in err
    assert _run(project) == (code, out, err)
    _require(project, good)
    installing = "installing requirements-dev.txt into .venv ...\n"
    assert _run(project) == (0, ".venv good day\n", installing)
    _require(project, _wheel(project, "3", "changed"))
    assert _run(project) == (0, ".venv changed\n", installing)


def test_a_version_asked_for_has_its_own_environment(project: Path) -> None:
    version = interpreters.running_version()

    code, out, _ = _run(project, FC_AI_PYTHON=version)

    assert (code, out) == (0, f".venv-{version} hello\n")


def test_an_unsupported_version_is_refused_in_one_line(project: Path) -> None:
    answer = _run(project, FC_AI_PYTHON="2.7")

    assert answer == (1, "", "FC_AI_PYTHON must be one of 3.12, 3.13, 3.11, 3.10.\n")
    assert not list(project.glob(".venv*"))


def test_a_shim_that_does_not_run_is_no_interpreter(tmp_path: Path) -> None:
    shim = tmp_path / "python3.12"
    shim.write_text("#!/bin/sh\necho 'python3.12: command not found' >&2\nexit 127\n")
    shim.chmod(0o755)

    assert interpreters.version_of(str(shim)) is None
    assert interpreters.version_of(str(tmp_path / "python3.11")) is None


@pytest.mark.parametrize(
    "path",
    ["scripts/tooling/bootstrap.py", "scripts/tooling/interpreters.py", *executables()],
)
def test_what_starts_under_any_python_has_the_syntax_of_3_8(path: str) -> None:
    ast.parse((ROOT / path).read_text(), feature_version=(3, 8))


@pytest.mark.parametrize("path", executables())
def test_every_command_enters_the_environment_the_same_way(path: str) -> None:
    lines = (ROOT / path).read_text().splitlines()

    assert os.access(ROOT / path, os.X_OK)
    assert lines[0] == "#!/usr/bin/env python3"
    assert lines[2:10] == [
        "",
        "import sys",
        "from pathlib import Path",
        "",
        "sys.path.insert(0, str(Path(__file__).resolve().parents[1]))",
        "from scripts.tooling.bootstrap import inside_venv",
        "",
        "inside_venv(__file__)",
    ]
