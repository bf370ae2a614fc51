"""scripts/dev as a newcomer meets it: start it, paste what it prints."""

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.tooling.dev_process import ADMIN, running_dev

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(scope="module")
def greeting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_dev(tmp_path_factory.mktemp("dev")) as printed:
        yield printed


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
