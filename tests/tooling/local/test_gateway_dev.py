"""scripts/dev for a new user: start it and run the printed commands."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.tooling.manifest.s_yaml import load
from tests.tooling.local.dev_process import ADMIN, RunningDev, environment, running_dev

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def dev(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDev]:
    with running_dev(tmp_path_factory.mktemp("dev")) as running:
        yield running


def welcome(greeting: str) -> list[str]:
    lines = greeting.splitlines()
    first = next(number for number, line in enumerate(lines) if line.startswith("Serving "))
    return lines[first - 1 :]


def paste(lines: list[str], project: Path) -> str:
    done = subprocess.run(
        ["bash", "-c", "\n".join(lines)],
        cwd=project,
        env=environment(),
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
        (2, r"event: start\n(.*\n)+event: delta\n(.*\n)+event: done\n"),
    ],
)
def test_each_printed_curl_works_as_it_stands(dev: RunningDev, number: int, expected: str) -> None:
    curls = re.findall(r"^curl [h-].*", dev.greeting, flags=re.MULTILINE)
    assert len(curls) == 3
    assert re.search(expected, paste([curls[number]], dev.project))


def test_the_printed_lines_for_the_admin_export_the_users(dev: RunningDev) -> None:
    """The password contains special characters of the shell."""
    lines = re.findall(r"^(?:TOKEN=|curl ').*", dev.greeting, flags=re.MULTILINE)
    assert len(lines) == 2
    assert "boss" in paste(lines, dev.project)


def test_the_welcome_fits_a_small_terminal_and_keeps_secrets(dev: RunningDev) -> None:
    assert len(welcome(dev.greeting)) <= 15
    assert "DEMO MODEL" in dev.greeting
    assert ADMIN["ADMIN_PASSWORD"] not in dev.log


def test_the_routes_are_listed_for_whoever_asks(dev: RunningDev, tmp_path: Path) -> None:
    paths = [route.path for route in load(dev.project / "s.yaml", {}, strict=False).routes]
    with running_dev(tmp_path, "--routes") as asked:
        listed = re.findall(rf"^  [A-Z, ]+ {asked.base}(\S+)$", asked.greeting, flags=re.MULTILINE)

    assert listed == paths
    assert not re.search(rf"^  [A-Z, ]+ {dev.base}", dev.greeting, flags=re.MULTILINE)
