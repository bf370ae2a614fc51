"""Restarts a command in the project's virtual environment, which it creates and updates.

Every executable in scripts/ starts with the first python3 on PATH and has this shape
(the last two lines vary):

    #!/usr/bin/env python3
    \"\"\"One sentence.\"\"\"

    import sys
    from pathlib import Path

    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    from scripts.tooling.setup.bootstrap import inside_venv

    inside_venv(__file__)
    from scripts.tooling.X import main

    sys.exit(main(sys.argv[1:]))

A command that only serves or migrates calls `inside_venv(__file__, SERVING)`, which installs only
the packages for serving. What is installed stands in scripts/locks/, with hashes; `scripts/lock`
makes these files from the requirements. All commands share the environment `.venv`, on the best
Python found. FC_AI_PYTHON=3.10 selects that version, in `.venv-3.10`. Until inside_venv returns,
only the standard library is available and the Python may be 3.8; so this module, installers.py
and interpreters.py use nothing newer.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from scripts.tooling.setup import installers, interpreters

ROOT = Path(__file__).resolve().parents[3]
LOCKS = ROOT / "scripts" / "locks"

SERVING = "requirements-serve.txt"
EVERYTHING = "requirements-dev.txt"
CLIENTS = "requirements-clients.txt"  # in an environment of its own: their needs differ

_PROBE = "import sys; print('%d.%d' % sys.version_info[:2])"


def inside_venv(script: str, requirements: str = EVERYTHING) -> None:
    """Return if this Python has the requirements; otherwise restart the script in the environment.

    Raises:
        SystemExit: no Python fits, or the packages cannot be installed.
    """
    requested = os.environ.get("FC_AI_PYTHON", "")
    venv = ROOT / (f".venv-{requested}" if requested else ".venv")
    here = Path(sys.prefix)
    if is_current(here, requirements) and (here == venv or not requested):
        return
    prepare(venv, _versions(requested), requirements)
    python = str(venv / "bin" / "python")
    os.execv(python, [python, os.path.abspath(script), *sys.argv[1:]])


def _versions(requested: str) -> Sequence[str]:
    if requested and requested not in interpreters.SUPPORTED:
        sys.exit(f"FC_AI_PYTHON must be one of {', '.join(interpreters.SUPPORTED)}.")
    return [requested] if requested else interpreters.SUPPORTED


def prepare(venv: Path, versions: Sequence[str], requirements: str) -> None:
    """Create or update the environment; concurrent commands wait for each other.

    Packages are only added, so that a server running in it is not disturbed.
    """
    if is_current(venv, requirements):
        return
    with _lock():
        if is_current(venv, requirements):
            return
        if interpreters.version_of(str(venv / "bin" / "python"), _PROBE) not in versions:
            _create(venv, versions)
        _install(venv, requirements)


def is_current(venv: Path, requirements: str) -> bool:
    """Whether all requirements of the current files are installed there."""
    try:
        stamp = _stamp(venv, requirements).read_text()
    except OSError:
        return False
    return stamp == _fingerprint(requirements) and (venv / "bin" / "python").exists()


def _stamp(venv: Path, requirements: str) -> Path:
    return venv / f"{requirements}.sha256"


def _fingerprint(requirements: str) -> str:
    return hashlib.sha256((LOCKS / requirements).read_bytes()).hexdigest()


def _with_included(requirements: str) -> list[str]:
    """The file, and the files that it includes in lines such as `-r requirements.txt`."""
    text = (ROOT / requirements).read_text(encoding="utf-8")
    named = re.findall(r"^-r (requirements-\S+)", text, flags=re.MULTILINE)
    return [requirements, *(file for name in named for file in _with_included(name))]


def _create(venv: Path, versions: Sequence[str]) -> None:
    python = interpreters.find(versions)
    if python is None:
        sys.exit(
            f"No working Python {' or '.join(versions)} with venv and pip was found; install one"
            " (on Debian: apt-get install python3 python3-venv)."
        )
    installers.say(f"making {venv.name} with {python} ...")
    code, output = installers.run([python, "-m", "venv", "--clear", "--without-pip", str(venv)])
    if code != 0:
        sys.stderr.write(output)
        sys.exit(f"{venv} could not be created.")


def _install(venv: Path, requirements: str) -> None:
    """Install the requirements; stamps are written last, so that a failure is tried again."""
    fresh = {_stamp(venv, name): _fingerprint(name) for name in _with_included(requirements)}
    for stamp in fresh:
        with contextlib.suppress(FileNotFoundError):
            stamp.unlink()
    installers.install(venv, LOCKS / requirements)
    for stamp, fingerprint in fresh.items():
        stamp.write_text(fingerprint)


@contextlib.contextmanager
def _lock() -> Iterator[None]:
    folder = ROOT / ".local"
    folder.mkdir(exist_ok=True)
    with (folder / "venv.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
