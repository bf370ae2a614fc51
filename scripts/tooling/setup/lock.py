"""`scripts/lock`: the files of scripts/locks, which say what exactly is installed.

Each has every package that its requirements need on any supported Python and system, with the
hashes of its files, so that a file that was changed in a registry is not installed. Versions
that are locked already stay, unless a requirement changes them or --upgrade is given.
"""

import argparse
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from scripts.tooling.setup.bootstrap import CLIENTS, EVERYTHING, LOCKS, ROOT, SERVING
from scripts.tooling.setup.interpreters import SUPPORTED

SOURCES = {
    **{name: ROOT / name for name in (EVERYTHING, SERVING, CLIENTS)},
    "uv.txt": LOCKS / "uv.in",
}

_OLDEST = min(SUPPORTED, key=lambda version: int(version.partition(".")[2]))
_OPTIONS = [
    "--universal",
    f"--python-version={_OLDEST}",
    "--generate-hashes",
    "--no-header",
    "--no-annotate",
    "--no-emit-index-url",
    "--no-emit-find-links",
]


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="scripts/lock", description=__doc__)
    parser.add_argument("--upgrade", action="store_true", help="take the newest versions that fit")
    more = ["--upgrade"] if parser.parse_args(argv).upgrade else []
    for name, source in SOURCES.items():
        print(f"scripts/locks/{name}")
        command = [*_uv(), str(source), f"--output-file={LOCKS / name}", *_OPTIONS, *more]
        done = subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL, check=False)
        if done.returncode:
            return done.returncode
    return 0


def _uv() -> list[str]:
    program = Path(sys.prefix) / "bin" / "uv"
    if not program.exists():
        sys.exit("scripts/lock needs uv, which could not be installed here.")
    return [str(program), "pip", "compile", "--quiet"]
