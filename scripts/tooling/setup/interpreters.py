"""Finds a working Python of a supported version; this module runs on Python 3.8 and later."""

from __future__ import annotations

import glob
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence

SUPPORTED = ("3.12", "3.13", "3.11", "3.10")  # in order of preference

_PROBE = """
import importlib.util, sys, venv
if not (importlib.util.find_spec("pip") or importlib.util.find_spec("ensurepip")):
    sys.exit(1)
print("%d.%d" % sys.version_info[:2])
"""


def find(versions: Sequence[str] = SUPPORTED) -> str | None:
    """Return the path of a working interpreter of the first available version."""
    for version in versions:
        for candidate in candidates(version):
            if version_of(candidate) == version:
                return candidate
    return None


def candidates(version: str) -> Iterator[str]:
    """Yield paths where that version may be installed."""
    if version == running_version() and sys.executable:
        yield sys.executable
    for folder in os.environ.get("PATH", "").split(os.pathsep):
        yield os.path.join(folder or os.curdir, f"python{version}")
    pyenv = os.environ.get("PYENV_ROOT") or os.path.expanduser("~/.pyenv")
    yield from sorted(glob.glob(os.path.join(pyenv, "versions", f"{version}.*", "bin", "python")))
    uv = os.path.expanduser("~/.local/share/uv/python")
    yield from sorted(glob.glob(os.path.join(uv, f"cpython-{version}.*", "bin", "python3")))


def version_of(executable: str, probe: str = _PROBE) -> str | None:
    """Return the version of an interpreter; None if it does not run or cannot make a venv."""
    if not os.access(executable, os.X_OK):
        return None
    try:
        answer = subprocess.run(
            [executable, "-I", "-c", probe],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=30,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return answer.stdout.decode().strip() if answer.returncode == 0 else None


def running_version() -> str:
    return f"{sys.version_info[0]}.{sys.version_info[1]}"
