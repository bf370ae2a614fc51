"""Migrates the embedded database of local commands to the schema of this version."""

import io
import sys
from collections.abc import Mapping
from contextlib import redirect_stdout

from scripts.tooling.database import migrations
from scripts.tooling.environment import local_environment


def is_migrated(environ: Mapping[str, str]) -> bool:
    """Migrate the embedded database; return whether that succeeded, and report it on stderr.

    A database server may have other users: only scripts/migrate changes it.
    """
    if not local_environment(environ).get("DATABASE_URL", "").startswith("sqlite:"):
        _report("it is a server; scripts/migrate up brings it up to date")
        return True
    output = io.StringIO()
    with redirect_stdout(output):
        code = migrations.main(["up"])
    lines = output.getvalue().splitlines()
    applied = [line for line in lines if line.startswith("applied ")]
    if len(applied) > 1:  # a new database: print a range
        lines = [f"{applied[0]} to {applied[-1].removeprefix('applied ')}"]
    for line in lines:
        _report(line)
    return code == 0


def _report(line: str) -> None:
    print(f"database: {line}", file=sys.stderr, flush=True)
