"""Packages of npm for tests, installed into a folder that is kept for the next run."""

import shutil
import subprocess
from pathlib import Path

import pytest

from scripts.tooling.environment import ROOT

_SECONDS = 900


def folder_with(name: str, *packages: str) -> Path:
    """The folder `.local/<name>` with these packages; the test is skipped if npm cannot."""
    folder = ROOT / ".local" / name
    if not shutil.which("npm"):
        pytest.skip("there is no npm here")
    npm = ["npm", "install", "--prefix", str(folder), "--no-audit", "--no-fund", "--ignore-scripts"]
    try:
        subprocess.run([*npm, *packages], check=True, capture_output=True, timeout=_SECONDS)
    except (subprocess.SubprocessError, OSError) as problem:
        pytest.skip(f"npm could not install {', '.join(packages)} here: {problem}")
    return folder
