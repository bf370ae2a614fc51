"""The test suite, with everything it needs."""

import os
from collections.abc import Sequence

import pytest

from scripts.tooling.database.mariadb import ensure_installed
from scripts.tooling.environment import ROOT

# A file stays with one worker, so that what a module prepares is prepared once.
_WHOLE_SUITE = ("-n", "2", "--dist", "loadfile")


def main(arguments: Sequence[str]) -> int:
    """Run pytest with these arguments, or the whole suite on two workers if there are none.

    Paths count from the root. The exit code is pytest's own, and so is the last line printed.
    """
    ensure_installed()
    os.chdir(ROOT)
    return int(pytest.main(["-q", *(arguments or _WHOLE_SUITE)]))
