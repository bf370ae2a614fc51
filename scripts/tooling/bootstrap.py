"""Moves a command into the project's own virtual environment, which it makes and keeps current.

Every executable in scripts/ starts under whatever python3 is first on PATH and has this shape
(the last two lines vary):

    #!/usr/bin/env python3
    \"\"\"One sentence.\"\"\"

    import sys
    from pathlib import Path

    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    from scripts.tooling.bootstrap import inside_venv

    inside_venv(__file__)
    from scripts.tooling.X import main

    sys.exit(main(sys.argv[1:]))

The environment is `.venv` on the best Python found. FC_AI_PYTHON=3.10 asks for that version and
gets `.venv-3.10`. Until inside_venv returns, only the standard library is there, and the Python
may be as old as 3.8; so this module and interpreters.py use nothing newer.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from scripts.tooling import interpreters

ROOT = Path(__file__).resolve().parents[2]

_STAMP = "requirements.sha256"


def inside_venv(script: str) -> None:
    """Return at once in an up-to-date environment; elsewhere start the script again in one.

    Raises:
        SystemExit: with one line, when no Python fits or the packages cannot be installed.
    """
    wanted = os.environ.get("FC_AI_PYTHON", "")
    venv = ROOT / (f".venv-{wanted}" if wanted else ".venv")
    here = Path(sys.prefix)
    if is_current(here) and (here == venv or not wanted):
        return
    prepare(venv, _versions(wanted))
    python = str(venv / "bin" / "python")
    os.execv(python, [python, os.path.abspath(script), *sys.argv[1:]])


def _versions(wanted: str) -> Sequence[str]:
    if wanted and wanted not in interpreters.SUPPORTED:
        sys.exit(f"FC_AI_PYTHON must be one of {', '.join(interpreters.SUPPORTED)}.")
    return [wanted] if wanted else interpreters.SUPPORTED


def prepare(venv: Path, versions: Sequence[str]) -> None:
    """Make the environment, or bring it up to date; twins wait for each other."""
    if is_current(venv):
        return
    with _lock():
        if is_current(venv):
            return
        if _version(venv) not in versions:
            _create(venv, versions)
        _install(venv)


def is_current(venv: Path) -> bool:
    """Say whether every requirement, as the files stand now, has been installed there."""
    try:
        stamp = (venv / _STAMP).read_text()
    except OSError:
        return False
    return stamp == _fingerprint() and (venv / "bin" / "python").exists()


def _fingerprint() -> str:
    names = ("requirements.txt", "requirements-dev.txt")
    return hashlib.sha256(b"\0".join((ROOT / name).read_bytes() for name in names)).hexdigest()


def _version(venv: Path) -> str | None:
    probe = "import pip, sys; print('%d.%d' % sys.version_info[:2])"
    return interpreters.version_of(str(venv / "bin" / "python"), probe)


def _create(venv: Path, versions: Sequence[str]) -> None:
    python = interpreters.find(versions)
    if python is None:
        sys.exit(
            f"No working Python {' or '.join(versions)} with venv and pip was found; install one"
            " (on Debian: apt-get install python3 python3-venv)."
        )
    _run([python, "-m", "venv", "--clear", str(venv)], f"{venv} could not be created.")


def _install(venv: Path) -> None:
    """The stamp is the last thing written: without it the next start tries again."""
    stamp = venv / _STAMP
    with contextlib.suppress(FileNotFoundError):
        stamp.unlink()
    fingerprint = _fingerprint()
    print(f"installing requirements-dev.txt into {venv.name} ...", file=sys.stderr, flush=True)
    pip = [str(venv / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "--no-input"]
    _run(
        [*pip, "install", "--quiet", "--requirement", str(ROOT / "requirements-dev.txt")],
        "The packages of requirements-dev.txt could not be installed; pip says why above.",
    )
    stamp.write_text(fingerprint)


def _run(command: list[str], otherwise: str) -> None:
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    if done.returncode != 0:
        sys.stderr.write(done.stdout.decode(errors="replace"))
        sys.exit(otherwise)


@contextlib.contextmanager
def _lock() -> Iterator[None]:
    folder = ROOT / ".local"
    folder.mkdir(exist_ok=True)
    with (folder / "venv.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
