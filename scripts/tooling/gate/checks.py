"""The gate that every change must pass: format, lint, types, rules of this project, tests."""

import argparse
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from scripts.tooling.environment import ROOT
from scripts.tooling.gate import suite
from scripts.tooling.gate.rules.module_map import write_map

FIXES = (
    ("ruff", "check", "--quiet", "--fix-only", "."),
    ("ruff", "format", "--quiet", "."),
)


def main(arguments: Sequence[str]) -> int:
    """Run all checks, also after a failure; list the failed ones at the end."""
    options = _options(arguments)
    if options.fix:
        for command in FIXES:
            _run(command)
        write_map(ROOT)
    with ThreadPoolExecutor() as threads:  # each thread waits for one process
        passed = dict(zip(checks(), threads.map(_passes, checks().items()), strict=True))
    failed = [name for name, has_passed in passed.items() if not has_passed]
    if not failed:
        print(f"{', '.join(checks())}: passed", flush=True)
    if not options.fast and suite.main([]) != 0:
        failed.append("tests")
    if failed:
        print(f"failed: {', '.join(failed)}")
    return 1 if failed else 0


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/check", description=__doc__)
    parser.add_argument(
        "--fix",
        action="store_true",
        help="first format, fix, and write the map of shared/README.md",
    )
    parser.add_argument("--fast", action="store_true", help="skip the tests")
    return parser.parse_args(arguments)


def checks() -> dict[str, Sequence[str]]:
    return {
        "format": ("ruff", "format", "--check", "."),
        "lint": ("ruff", "check", "--output-format=concise", "."),
        "types": ("mypy", *packages(), *executables()),
        "rules": ("scripts.tooling.gate.rules",),
    }


def packages() -> list[str]:
    return ["shared", "functions", "scripts", "tests"]


def executables() -> list[str]:
    """The files of the commands, which have no `.py` ending for tools to find them by."""
    found = (path for path in (ROOT / "scripts").iterdir() if path.is_file() and not path.suffix)
    return sorted(str(path.relative_to(ROOT)) for path in found)


def _passes(check: tuple[str, Sequence[str]]) -> bool:
    name, command = check
    done = _run(command)
    if done.returncode != 0:
        print(f"-- {name}\n{done.stdout}{done.stderr}", flush=True)
    return done.returncode == 0


def _run(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, check=False
    )
