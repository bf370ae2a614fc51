"""A command starts with any python3 and continues in the project's environment."""

import ast
import hashlib
import os
import re
import shutil
import subprocess
import sys
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import metadata
from pathlib import Path
from threading import Thread
from typing import ClassVar

import pytest

from scripts.tooling.build.imports import reached_from
from scripts.tooling.build.wheels import providers
from scripts.tooling.environment import ROOT
from scripts.tooling.gate.checks import executables
from scripts.tooling.setup import interpreters
from scripts.tooling.setup.bootstrap import SERVING

COMMAND = """#!/usr/bin/env python3
import importlib.util
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from scripts.tooling.setup.bootstrap import EVERYTHING, SERVING, inside_venv

inside_venv(__file__, SERVING if Path(__file__).name == "greet" else EVERYTHING)
import greeting

tools = importlib.util.find_spec("tool")
print(Path(sys.prefix).name, greeting.TEXT, *sys.argv[1:], "with the tool" if tools else "alone")
"""

NO_UV = "uv cannot be had here, so pip installs, which takes longer\n"
INSTALLING = f"installing requirements-serve.txt into .venv ...\n{NO_UV}"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A small project with our bootstrap, a command that serves, and one that needs tools."""
    setup = tmp_path / "scripts" / "tooling" / "setup"
    shutil.copytree(ROOT / "scripts" / "tooling" / "setup", setup)
    for folder in setup.parents[:2]:
        (folder / "__init__.py").touch()
    for name in ("greet", "work"):
        command = tmp_path / "scripts" / name
        command.write_text(COMMAND)
        command.chmod(0o755)
    tool = _wheel(tmp_path, "1", name="tool")
    (tmp_path / "requirements-serve.txt").touch()
    (tmp_path / "requirements-dev.txt").write_text("-r requirements-serve.txt\n")
    (tmp_path / "scripts" / "locks").mkdir()
    (tmp_path / "scripts" / "locks" / "uv.txt").write_text("uv==0 --hash=sha256:00\n")
    _require(tmp_path, _wheel(tmp_path, "1", "hello"), tool)
    return tmp_path


def _wheel(folder: Path, version: str, text: str = "", name: str = "greeting") -> Path:
    path = folder / f"{name}-{version}-py3-none-any.whl"
    info = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr(f"{name}.py", f"TEXT = {text!r}\n")
        wheel.writestr(
            f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        )
        wheel.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{info}/RECORD", "")
    return path


def _require(project: Path, wheel: Path, *tools: Path) -> None:
    """Lock the wheel for serving, and more for tools."""
    _lock(project, "requirements-serve.txt", *map(_line, [wheel]))
    _lock(project, "requirements-dev.txt", *map(_line, [wheel, *tools]))


def _lock(project: Path, name: str, *lines: str) -> None:
    (project / "scripts" / "locks" / name).write_text("\n".join([*lines, ""]))


def _line(wheel: Path, requirement: str = "") -> str:
    digest = hashlib.sha256(wheel.read_bytes() if wheel.exists() else b"").hexdigest()
    return f"{requirement or wheel} --hash=sha256:{digest}"


def _start(
    project: Path, *arguments: str, command: str = "greet", **extra: str
) -> "subprocess.Popen[str]":
    """Start a command without access to a registry, so that no test depends on one."""
    environ = {name: value for name, value in os.environ.items() if name != "FC_AI_PYTHON"}
    return subprocess.Popen(
        [project / "scripts" / command, *arguments],
        env=environ | {"PIP_NO_INDEX": "1", "UV_CACHE_DIR": str(project / "cache")} | extra,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _run(project: Path, *arguments: str, **extra: str) -> tuple[int, str, str]:
    process = _start(project, *arguments, **extra)
    out, err = process.communicate()
    return process.returncode, out, re.sub(r"^making .*\n", "", err)


def test_twins_on_a_fresh_clone_share_one_installation(project: Path) -> None:
    twins = [_start(project, "a b"), _start(project, "c")]
    answers = [twin.communicate() for twin in twins]

    assert [out for out, _ in answers] == [".venv hello a b alone\n", ".venv hello c alone\n"]
    silent, told = sorted(err for _, err in answers)
    assert silent == ""
    assert re.fullmatch(rf"making .venv with /\S+ ...\n{INSTALLING}", told)
    assert _run(project, "again") == (0, ".venv hello again alone\n", "")


def test_tools_are_added_for_a_command_that_needs_them(project: Path) -> None:
    assert _run(project) == (0, ".venv hello alone\n", INSTALLING)

    added = INSTALLING.replace("serve", "dev")
    assert _run(project, command="work") == (0, ".venv hello with the tool\n", added)


def test_a_pin_that_changes_is_installed_by_every_command_that_has_it(project: Path) -> None:
    _run(project, command="work")
    assert _run(project) == (0, ".venv hello with the tool\n", "")

    for lock in (project / "scripts" / "locks").iterdir():
        lock.write_text(f"# another pin\n{lock.read_text()}")

    assert _run(project) == (0, ".venv hello with the tool\n", INSTALLING)
    added = INSTALLING.replace("serve", "dev")
    assert _run(project, command="work") == (0, ".venv hello with the tool\n", added)


def test_a_failed_installation_says_so_and_is_tried_again(project: Path) -> None:
    good = _wheel(project, "2", "good day")
    _require(project, project / "missing-1-py3-none-any.whl")

    code, out, err = _run(project)

    assert (code, out) == (1, "")
    assert err.splitlines()[-1] == (
        "The packages of requirements-serve.txt could not be installed; pip says why above."
    )
    assert "missing-1-py3-none-any.whl" in err
    assert _run(project) == (code, out, err)
    _require(project, good)
    assert _run(project) == (0, ".venv good day alone\n", INSTALLING)
    _require(project, _wheel(project, "3", "changed"))
    assert _run(project) == (0, ".venv changed alone\n", INSTALLING)


def test_a_file_that_is_not_the_locked_one_is_not_installed(project: Path) -> None:
    _wheel(project, "1", "hello, and more")

    code, out, err = _run(project)

    assert (code, out) == (1, "")
    assert "DO NOT MATCH THE HASHES" in err


def test_uv_installs_no_file_that_is_not_the_locked_one(project: Path, shelf: Path) -> None:
    _wheel(project, "1", "hello, and more")

    code, out, err = _run(project, PIP_FIND_LINKS=str(shelf))

    assert (code, out) == (1, "")
    assert "uv could not install it, so pip tries" in err


@pytest.fixture
def shelf(project: Path, tmp_path: Path) -> Path:
    """A folder with a wheel of uv for pip, made of the installed uv and locked."""
    program = Path(sys.prefix) / "bin" / "uv"
    if not program.exists():
        pytest.skip("this environment was installed by pip")
    version = metadata.version("uv")
    info = f"uv-{version}.dist-info"
    (tmp_path / "shelf").mkdir()
    with zipfile.ZipFile(tmp_path / "shelf" / f"uv-{version}-py3-none-any.whl", "w") as wheel:
        wheel.write(program, f"uv-{version}.data/scripts/uv")
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: uv\nVersion: {version}\n")
        wheel.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{info}/RECORD", "")
    (made,) = (tmp_path / "shelf").iterdir()
    _lock(project, "uv.txt", _line(made, f"uv=={version}"))
    return tmp_path / "shelf"


def test_uv_installs_where_it_can_be_had(project: Path, shelf: Path) -> None:
    answer = _run(project, PIP_FIND_LINKS=str(shelf))

    told = "installing requirements-serve.txt into .venv ...\n"
    assert answer == (0, ".venv hello alone\n", told)
    assert _installer(project) == "uv"


def test_pip_installs_what_uv_cannot(project: Path, shelf: Path) -> None:
    """uv does not know the folder of pip's wheels, and has no network either."""
    _lock(project, "requirements-serve.txt", _line(_greeting(project), "greeting==1"))

    code, out, err = _run(project, PIP_FIND_LINKS=f"{shelf} {project}")

    assert (code, out) == (0, ".venv hello alone\n"), err
    assert err.splitlines()[-1] == "uv could not install it, so pip tries"
    assert _installer(project) == "pip"


def _greeting(project: Path) -> Path:
    return project / "greeting-1-py3-none-any.whl"


def _installer(project: Path) -> str:
    (file,) = (project / ".venv").glob("lib/*/site-packages/greeting-1.dist-info/INSTALLER")
    return file.read_text().strip()


class Registry(BaseHTTPRequestHandler):
    """An empty registry that records the requests."""

    asked: ClassVar[list[tuple[str, str]]] = []

    def do_GET(self) -> None:
        self.asked.append((self.headers["user-agent"].partition("/")[0], self.path))
        self.send_error(404)

    def log_message(self, format: str, *args: object) -> None:
        pass


def test_uv_asks_the_registry_that_pip_was_told_of(project: Path, shelf: Path) -> None:
    _lock(project, "requirements-serve.txt", _line(_greeting(project), "greeting==1"))
    with ThreadingHTTPServer(("127.0.0.1", 0), Registry) as registry:
        Thread(target=registry.serve_forever, daemon=True).start()
        mirror = f"http://127.0.0.1:{registry.server_port}/simple"
        _run(project, PIP_FIND_LINKS=str(shelf), PIP_INDEX_URL=mirror, PIP_NO_INDEX="0")
        registry.shutdown()

    assert ("uv", "/simple/greeting/") in Registry.asked


def test_serving_needs_nothing_that_is_not_installed_for_it() -> None:
    starts = ["scripts.tooling.local.demo_model", "scripts.tooling.local.gateway.worker"]
    starts += [f"scripts.tooling.local.{name}" for name in ("dev", "invoke", "login")]
    starts += ["scripts.tooling.database.migrations"]
    starts += [f"functions.{path.parent.name}.index" for path in ROOT.glob("functions/*/index.py")]
    imported = {
        wanted.top_level for start in starts for wanted in reached_from(start, ROOT).third_party
    }
    listed = re.findall(r"^([\w-]+)", (ROOT / SERVING).read_text(), flags=re.MULTILINE)
    known = providers()

    assert imported - {name for name in imported if known[name] & set(listed)} == {"oss2"}


def test_a_version_asked_for_has_its_own_environment(project: Path) -> None:
    version = interpreters.running_version()

    code, out, _ = _run(project, FC_AI_PYTHON=version)

    assert (code, out) == (0, f".venv-{version} hello alone\n")


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
    [
        "scripts/tooling/__init__.py",
        *(f"scripts/tooling/setup/{n}.py" for n in ("bootstrap", "installers", "interpreters")),
        *executables(),
    ],
)
def test_what_starts_under_any_python_has_the_syntax_of_3_8(path: str) -> None:
    ast.parse((ROOT / path).read_text(), feature_version=(3, 8))


@pytest.mark.parametrize("path", executables())
def test_every_command_enters_the_environment_the_same_way(path: str) -> None:
    lines = (ROOT / path).read_text().splitlines()

    assert os.access(ROOT / path, os.X_OK)
    assert lines[0] == "#!/usr/bin/env python3"
    assert lines[2:7] == [
        "",
        "import sys",
        "from pathlib import Path",
        "",
        "sys.path.insert(0, str(Path(__file__).resolve().parents[1]))",
    ]
    assert lines[7:10] in (
        ["from scripts.tooling.setup.bootstrap import inside_venv", "", "inside_venv(__file__)"],
        [
            "from scripts.tooling.setup.bootstrap import SERVING, inside_venv",
            "",
            "inside_venv(__file__, SERVING)",
        ],
    )
