"""A Python with the libraries of clients, in an environment of its own."""

from pathlib import Path

import pytest

from scripts.tooling.environment import ROOT
from scripts.tooling.setup.bootstrap import CLIENTS, prepare
from scripts.tooling.setup.interpreters import SUPPORTED


def client_python() -> Path:
    """The interpreter; its environment is kept for the next run."""
    venv = ROOT / ".venv-clients"
    try:
        prepare(venv, SUPPORTED, CLIENTS)
    except SystemExit as problem:
        pytest.skip(f"the libraries could not be installed here: {problem}")
    return venv / "bin" / "python"
