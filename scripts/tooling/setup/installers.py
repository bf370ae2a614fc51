"""Installs requirement files into an environment: uv does it, or pip where uv cannot be had.

uv installs in a second what takes pip ten. It is no part of the new machine, so pip fetches it
first. Like bootstrap.py this runs on the standard library of any Python from 3.8.
"""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

_UV = "uv==0.13.9"

# Settings of pip without which no registry is reached, as uv calls them: it reads none of pip's.
_AS_UV = {
    "index-url": "UV_DEFAULT_INDEX",
    "no-index": "UV_OFFLINE",
    "trusted-host": "UV_INSECURE_HOST",
    "cert": "SSL_CERT_FILE",
    "proxy": "ALL_PROXY",
}


def install(venv: Path, requirements: Path) -> None:
    """Add what the file lists; what is there and fits stays as it is.

    Raises:
        SystemExit: with one line, after what pip said.
    """
    say(f"installing {requirements.name} into {venv.name} ...")
    pip, settings = _pip(venv)
    uv = _uv(venv, pip)
    if uv is None:
        say("uv cannot be had here, so pip installs, which takes longer")
    elif _passes([*uv, "--requirement", str(requirements)], _as_uv(settings)):
        return
    else:
        say("uv could not install it, so pip tries")
    code, said = run([*pip, "install", "--no-compile", "--requirement", str(requirements)])
    if code != 0:
        sys.stderr.write(said)
        sys.exit(f"The packages of {requirements.name} could not be installed; pip says why above.")


def _pip(venv: Path) -> tuple[list[str], str]:
    """Return a pip that installs there, and its settings.

    The one of the Python that made the environment will do: unpacking another takes seconds.
    """
    python = str(venv / "bin" / "python")
    own = [python, "-m", "pip"]
    for pip in ([os.path.realpath(python), "-m", "pip", "--python", python], own):
        code, settings = run([*pip, "config", "list"])
        if code == 0:
            return _quiet(pip), settings
    code, said = run([python, "-m", "ensurepip"])
    if code != 0:
        sys.stderr.write(said)
        sys.exit(f"{venv.name} has no pip and cannot get one (on Debian: python3-venv has it).")
    return _quiet(own), run([*own, "config", "list"])[1]


def _quiet(pip: Sequence[str]) -> list[str]:
    return [*pip, "--disable-pip-version-check", "--no-input"]


def _uv(venv: Path, pip: Sequence[str]) -> list[str] | None:
    """Return the command that installs there; None where there is no uv for this machine."""
    program = venv / "bin" / "uv"
    if not program.exists():
        _passes([*pip, "install", "--no-compile", "--only-binary=:all:", _UV])
    command = [str(program), "pip", "install", "--python", str(venv / "bin" / "python")]
    return command if program.exists() else None


def _as_uv(settings: str) -> dict[str, str]:
    """Return the environment in which uv asks where pip would; its own variables win."""
    return {**dict(_translated(settings.splitlines())), **os.environ}


def _translated(lines: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Lines are `global.index-url='https://...'`; one of the environment (`:env:`) wins."""
    for line in sorted(lines, key=lambda line: line.startswith(":env:")):
        key, _, value = line.partition("=")
        name = _AS_UV.get(key.rpartition(".")[2])
        if name:
            yield name, " ".join(ast.literal_eval(value).split())


def _passes(command: Sequence[str], environ: Mapping[str, str] | None = None) -> bool:
    return run(command, environ)[0] == 0


def run(command: Sequence[str], environ: Mapping[str, str] | None = None) -> tuple[int, str]:
    """Return the exit code and all it said; a terminal shows its latest line meanwhile."""
    said = []
    with subprocess.Popen(
        command,
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as child:
        assert child.stdout is not None  # noqa: S101  # for the types: it is a pipe
        for line in child.stdout:
            said.append(line.decode(errors="replace"))
            _show(said[-1].strip())
    _show("")
    return child.returncode, "".join(said)


def _show(line: str) -> None:
    if sys.stderr.isatty():
        width = shutil.get_terminal_size().columns - 1
        sys.stderr.write(f"\r\033[K{line[:width]}")
        sys.stderr.flush()


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
