"""Keeps the embedded database of local commands at the schema this version needs."""

import io
import sys
from collections.abc import Mapping
from contextlib import redirect_stdout

from scripts.tooling.database import migrations
from scripts.tooling.environment import local_environment


def is_migrated(environ: Mapping[str, str]) -> bool:
    """Say whether a function can work with it, and on stderr what was done.

    A database server may be in use by others, so that is left to scripts/migrate.
    """
    if not local_environment(environ).get("DATABASE_URL", "").startswith("sqlite:"):
        _say("it is a server; scripts/migrate up brings it up to date")
        return True
    said = io.StringIO()
    with redirect_stdout(said):
        code = migrations.main(["up"])
    lines = said.getvalue().splitlines()
    applied = [line for line in lines if line.startswith("applied ")]
    if len(applied) > 1:  # a new one: nobody needs the whole list
        lines = [f"{applied[0]} to {applied[-1].removeprefix('applied ')}"]
    for line in lines:
        _say(line)
    return code == 0


def _say(line: str) -> None:
    print(f"database: {line}", file=sys.stderr, flush=True)
