"""A shifted clock for one process: Python imports this at its start, from a folder on PYTHONPATH.

The file named by CLOCK_MOVED_BY holds the shift in milliseconds; it is read at each use of the
clock, so that a test can shift the clock of a running process.
"""

import os
import time
from pathlib import Path

_now_ns = time.time_ns
_moved_by = Path(os.environ["CLOCK_MOVED_BY"])


def _moved_ns() -> int:
    return _now_ns() + int(_moved_by.read_text()) * 1_000_000


time.time_ns = _moved_ns
time.time = lambda: _moved_ns() / 1e9
