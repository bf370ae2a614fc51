"""The test suite and its preparation."""

import os
from collections.abc import Sequence

import pytest

from scripts.tooling.database.mariadb import ensure_installed
from scripts.tooling.environment import ROOT

# Each file runs on one worker, so that fixtures of a module run once.
_IN_PARALLEL = ("-n", "2", "--dist", "loadfile")


def main(arguments: Sequence[str]) -> int:
    """Run pytest with these arguments, or the whole suite in parallel if there are none.

    Paths are relative to the root. The exit code is that of pytest.
    """
    ensure_installed()
    os.chdir(ROOT)
    return int(pytest.main(["-q", *(arguments or _IN_PARALLEL)]))
