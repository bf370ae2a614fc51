"""The short form of `scripts/prove database-restarts`."""

import re
import subprocess

from scripts.tooling.environment import ROOT
from tests.patience import HANG_SECONDS


def test_answers_are_whole_and_charged_once_whenever_the_database_is_killed() -> None:
    """One answer of each kind for each phase, while the database stays away for 2 seconds."""
    command = [str(ROOT / "scripts/prove"), "database-restarts", "--answers", "4", "--away", "2"]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=4 * HANG_SECONDS, check=False
    )

    assert done.returncode == 0, done.stdout + done.stderr
    rows = re.findall(r"^ +2 s  (\w[\w ]+?) {2,}4 +4 .* 0$", done.stdout, re.MULTILINE)
    assert len(rows) == 8, done.stdout
