"""The test suite and its preparation."""

import os
from collections.abc import Sequence

import pytest

from scripts.tooling.database.mariadb import ensure_installed
from scripts.tooling.environment import ROOT

# More workers than cores, because tests often wait for a time limit or for another process. A
# worker that has no tests left takes half of another's, so that none works long after the others.
_IN_PARALLEL = ("-n", "3", "--dist", "worksteal")


def main(arguments: Sequence[str]) -> int:
    """Run pytest with these arguments, or the whole suite in parallel if there are none.

    Paths are relative to the root. The exit code is that of pytest.
    """
    ensure_installed()
    os.chdir(ROOT)
    return int(pytest.main(["-q", *(arguments or _IN_PARALLEL)]))
