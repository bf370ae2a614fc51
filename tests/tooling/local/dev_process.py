"""scripts/dev, running in a copy of the project, with an administrator and an empty database."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from scripts.tooling.environment import ROOT
from scripts.tooling.setup.bootstrap import EVERYTHING
from tests.patience import HANG_SECONDS
from tests.tooling.local.gateways import eventually

# A password that a shell would not read correctly.
ADMIN = {
    "ADMIN_USERNAME": "boss",
    "ADMIN_PASSWORD": """two  words, $HOME #1 "x" 'y' `z` \\n & 密码""",
}
_COPIED = ("scripts", "shared", "functions", "s.yaml")


@dataclass
class RunningDev:
    """A running scripts/dev. `greeting` is its output before the first request."""

    project: Path
    greeting: str
    output: Path

    @property
    def base(self) -> str:
        found = re.search(r"Serving s\.yaml on (\S+)", self.greeting)
        assert found
        return found[1]

    @property
    def log(self) -> str:
        return self.output.read_text()


def copy_project(folder: Path) -> Path:
    """Return a copy without `.env`, whose commands find their packages installed."""
    project = folder / "project"
    project.mkdir()
    for name in (*_COPIED, *(path.name for path in ROOT.glob("requirements*.txt"))):
        source = ROOT / name
        shutil.copytree(source, project / name) if source.is_dir() else shutil.copy(source, project)
    assert (Path(sys.prefix) / f"{EVERYTHING}.sha256").exists()
    return project


def write_env(project: Path, variables: Mapping[str, str]) -> None:
    """Write `.env` with all values in single quotes."""
    escaped = {k: v.replace("\\", "\\\\").replace("'", "\\'") for k, v in variables.items()}
    (project / ".env").write_text("".join(f"{k}='{v}'\n" for k, v in escaped.items()))


def environment(**variables: str) -> dict[str, str]:
    """The environment with this Python first on PATH, without variables that tests set."""
    left_out = {*ADMIN, "FC_AI_PYTHON"}
    kept = {name: value for name, value in os.environ.items() if name not in left_out}
    return {**kept, "PATH": f"{Path(sys.executable).parent}:{kept['PATH']}", **variables}


@contextmanager
def running_dev(folder: Path, *options: str, **variables: str) -> Iterator[RunningDev]:
    project = copy_project(folder)
    write_env(project, ADMIN)
    settings = {
        "DATABASE_URL": f"sqlite:///{folder / 'app.db'}",
        "JWT_SECRET": os.urandom(32).hex(),
        "BCRYPT_COST": "4",
        "OPENAI_API_KEY": "",
        "STORAGE_FOLDER": str(folder / "files"),
        **variables,
    }
    output = folder / "output"
    with output.open("wb") as log:
        process = subprocess.Popen(
            [project / "scripts" / "dev", "--port", "0", *options],
            env=environment(**settings),
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            eventually(lambda: "admin/export?" in output.read_text())
            yield RunningDev(project, output.read_text(), output)
        finally:
            process.terminate()
            assert process.wait(timeout=HANG_SECONDS) == 0
