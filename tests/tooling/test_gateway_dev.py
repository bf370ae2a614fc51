"""scripts/dev as a newcomer meets it: start it, paste what it prints."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.tooling.environment import ROOT
from tests.tooling.gateways import eventually

pytestmark = pytest.mark.timeout(120)

ADMIN = {"ADMIN_USERNAME": "boss", "ADMIN_PASSWORD": "a good admin password"}


@pytest.fixture(scope="module")
def greeting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """What the command prints before the first request, while it runs."""
    folder = tmp_path_factory.mktemp("dev")
    settings = {
        **ADMIN,
        "DATABASE_URL": f"sqlite:///{folder / 'app.db'}",
        "JWT_SECRET": os.urandom(32).hex(),
        "BCRYPT_COST": "4",
        "OPENAI_API_KEY": "",
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


def paste(lines: list[str], folder: Path) -> str:
    done = subprocess.run(
        ["bash", "-c", "\n".join(lines)],
        cwd=folder,
        env={**os.environ, **ADMIN},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (0, r'"status":"healthy","database":"connected"'),
        (1, r'"code":0,.*"email":"me@example.com".*"access_token":'),
        (2, r'"code":0,.*"email":"me@example.com".*"access_token":'),
        (3, r'"code":0,.*"reply":".*你好'),
        (4, r"event: start\n(.*\n)+event: delta\n(.*\n)+event: done\n"),
    ],
)
def test_each_printed_curl_works_as_it_stands(
    greeting: str, tmp_path: Path, number: int, expected: str
) -> None:
    curls = re.findall(r"^curl http.*|^curl -.*", greeting, flags=re.MULTILINE)
    assert re.search(expected, paste([curls[number]], tmp_path))


def test_the_printed_lines_for_the_admin_export_the_users(greeting: str, tmp_path: Path) -> None:
    lines = re.findall(r"^(?:set -a|TOKEN=|curl ').*", greeting, flags=re.MULTILINE)
    assert len(lines) == 3
    assert "boss" in paste(lines, tmp_path)


def test_it_says_that_the_model_is_a_demo_and_keeps_secrets(greeting: str) -> None:
    assert "DEMO MODEL" in greeting
    assert ADMIN["ADMIN_PASSWORD"] not in greeting
