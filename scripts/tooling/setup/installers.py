"""Installs locked requirements into an environment, with uv, or with pip if uv is not available.

uv takes a tenth of the time of pip; pip downloads it first. Like bootstrap.py this module
needs only the standard library of Python 3.8.
"""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

_UV = Path(__file__).resolve().parents[2] / "locks" / "uv.txt"
_LOCKED = ["--require-hashes", "--requirement"]  # a file with another hash is not installed

# Settings of pip for reaching a registry, and the variables of uv that mean the same.
_AS_UV = {
    "index-url": "UV_DEFAULT_INDEX",
    "no-index": "UV_OFFLINE",
    "trusted-host": "UV_INSECURE_HOST",
    "cert": "SSL_CERT_FILE",
    "proxy": "ALL_PROXY",
}


def install(venv: Path, requirements: Path) -> None:
    """Install a file of scripts/locks; installed packages that satisfy it stay as they are.

    Raises:
        SystemExit: pip failed; its output has been printed.
    """
    say(f"installing {requirements.name} into {venv.name} ...")
    pip, settings = _pip(venv)
    uv = _uv(venv, pip)
    if uv is None:
        say("uv cannot be had here, so pip installs, which takes longer")
    elif _succeeds([*uv, *_LOCKED, str(requirements)], _as_uv(settings)):
        return
    else:
        say("uv could not install it, so pip tries")
    code, output = run([*pip, "install", "--no-compile", *_LOCKED, str(requirements)])
    if code != 0:
        sys.stderr.write(output)
        sys.exit(f"The packages of {requirements.name} could not be installed; pip says why above.")


def _pip(venv: Path) -> tuple[list[str], str]:
    """Return the command of a pip that installs into the environment, and its settings.

    The pip of the base Python is preferred, because installing another takes seconds.
    """
    python = str(venv / "bin" / "python")
    own = [python, "-m", "pip"]
    for pip in ([os.path.realpath(python), "-m", "pip", "--python", python], own):
        code, settings = run([*pip, "config", "list"])
        if code == 0:
            return _quiet(pip), settings
    code, output = run([python, "-m", "ensurepip"])
    if code != 0:
        sys.stderr.write(output)
        sys.exit(f"{venv.name} has no pip and cannot get one (on Debian: python3-venv has it).")
    return _quiet(own), run([*own, "config", "list"])[1]


def _quiet(pip: Sequence[str]) -> list[str]:
    return [*pip, "--disable-pip-version-check", "--no-input"]


def _uv(venv: Path, pip: Sequence[str]) -> list[str] | None:
    """Return the command of uv for the environment; None if uv cannot be installed."""
    program = venv / "bin" / "uv"
    if not program.exists():
        _succeeds([*pip, "install", "--no-compile", "--only-binary=:all:", *_LOCKED, str(_UV)])
    command = [str(program), "pip", "install", "--python", str(venv / "bin" / "python")]
    return command if program.exists() else None


def _as_uv(settings: str) -> dict[str, str]:
    """Return an environment in which uv uses the settings of pip; variables of uv win."""
    return {**dict(_translated(settings.splitlines())), **os.environ}


def _translated(lines: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Translate lines such as `global.index-url='https://...'`; those of `:env:` win."""
    for line in sorted(lines, key=lambda line: line.startswith(":env:")):
        key, _, value = line.partition("=")
        name = _AS_UV.get(key.rpartition(".")[2])
        if name:
            yield name, " ".join(ast.literal_eval(value).split())


def _succeeds(command: Sequence[str], environ: Mapping[str, str] | None = None) -> bool:
    return run(command, environ)[0] == 0


def run(command: Sequence[str], environ: Mapping[str, str] | None = None) -> tuple[int, str]:
    """Run a command; return its exit code and output. A terminal shows its latest line."""
    output = []
    with subprocess.Popen(
        command,
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as child:
        assert child.stdout is not None  # noqa: S101  # for the types: it is a pipe
        for line in child.stdout:
            output.append(line.decode(errors="replace"))
            _show(output[-1].strip())
    _show("")
    return child.returncode, "".join(output)


def _show(line: str) -> None:
    if sys.stderr.isatty():
        width = shutil.get_terminal_size().columns - 1
        sys.stderr.write(f"\r\033[K{line[:width]}")
        sys.stderr.flush()


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
