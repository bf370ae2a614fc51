"""scripts/dev, running, with an administrator and an empty embedded database."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from scripts.tooling.environment import ROOT
from tests.tooling.gateways import eventually

ADMIN = {"ADMIN_USERNAME": "boss", "ADMIN_PASSWORD": "a good admin password"}


@contextmanager
def running_dev(folder: Path) -> Iterator[str]:
    """Yield what the command prints before the first request."""
    settings = {
        **ADMIN,
        "DATABASE_URL": f"sqlite:///{folder / 'app.db'}",
        "JWT_SECRET": os.urandom(32).hex(),
        "BCRYPT_COST": "4",
        "OPENAI_API_KEY": "",
        "STORAGE_FOLDER": str(folder / "files"),
    }
    command = "import sys; from scripts.tooling.dev import main; sys.exit(main(['--port', '0']))"
    output = folder / "output"
    with output.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", command],
            cwd=ROOT,
            env={**os.environ, **settings},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            eventually(lambda: "admin/export?" in output.read_text(), seconds=40)
            yield output.read_text()
        finally:
            process.terminate()
            assert process.wait(timeout=20) == 0
