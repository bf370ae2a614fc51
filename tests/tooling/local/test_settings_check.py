"""scripts/dev reports errors of `.env` before it serves, by name and without values."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.tooling.local.settings_check import SECTIONS
from shared.config import variables
from tests.patience import HANG_SECONDS
from tests.tooling.local.dev_process import (
    ADMIN,
    RunningDev,
    copy_project,
    environment,
    running_dev,
)
from tests.tooling.local.gateways import eventually

BAD = "no such value"
SET_BY_DEV = {"EXPORT_WORKER_URL", "STORAGE_FOLDER_URL"}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_project(tmp_path_factory.mktemp("settings"))


def started(project: Path, content: bytes) -> list[str]:
    """Run scripts/dev with this `.env`; return its output. It must end without serving."""
    (project / ".env").write_bytes(content)
    done = subprocess.run(
        [project / "scripts" / "dev", "--port", "0"],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=HANG_SECONDS,
    )
    assert (done.returncode, done.stdout) == (1, "")
    lines = done.stderr.splitlines()
    assert [line for line in lines if not line.startswith("scripts/dev: ")] == []
    return [line.removeprefix("scripts/dev: ") for line in lines]


def refusing() -> Iterator[str]:
    """The variables that do not accept every text."""
    for section in SECTIONS:
        for variable in variables(section):
            try:
                variable.parse(BAD)
            except ValueError:
                yield variable.names[0]


def test_every_variable_with_a_bad_value_is_named(project: Path) -> None:
    names = set(refusing()) - SET_BY_DEV
    assert {"DATABASE_URL", "JWT_SECRET", "UPSTREAMS", "CHAT_LIMIT", "OPENAI_API_URL"} <= names

    lines = started(project, "".join(f"{n}={BAD}\n" for n in {*names, "OPENAI_API_KEY"}).encode())

    assert sorted(line.partition(" ")[0] for line in lines) == sorted(names)
    assert [line for line in lines if BAD in line] == []


def test_an_alias_is_named_as_it_was_set(project: Path) -> None:
    assert started(project, b"NEXTAUTH_SECRET=short\n") == [
        "NEXTAUTH_SECRET must be at least 32 bytes (openssl rand -hex 32)"
    ]


def test_what_is_wrong_only_together_is_told_too(project: Path) -> None:
    (line,) = started(project, b"DB_HOST=127.0.0.1\n")

    assert line.startswith("DB_NAME is not set (for ")


def test_what_a_function_is_not_given_is_told_with_its_name(project: Path) -> None:
    manifest = project / "s.yaml"
    text = manifest.read_text()
    try:
        given = "        <<: [*variables, *limits, *sessions]\n"
        fewer = "        <<: [*variables, *limits]\n        JWT_EXPIRES_IN: ''\n"
        manifest.write_text(text.replace(given, fewer, 1))
        assert started(project, b"") == ["JWT_SECRET is not set (for register)"]
    finally:
        manifest.write_text(text)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"A=1\n\n# why\n\nsecret\n", ".env:5: this line has no ="),
        (b"A=1\nB C=secret\n", ".env:2: this line cannot be read; "),
        (b"\n\nA='secret\n", ".env:3: this line cannot be read; "),
        (b"A='one' secret\n", ".env:1: this line cannot be read; "),
        (b"A=1\nB=\xff\xfe secret\n", ".env:2: this line is not UTF-8"),
        (b"A=secret\0\n", ".env:1: this value holds a NUL"),
    ],
)
def test_a_line_that_sets_nothing_is_told_by_its_number(
    project: Path, content: bytes, told: str
) -> None:
    (line,) = started(project, content)

    assert line.startswith(told)
    assert "secret" not in line


@pytest.fixture(scope="module")
def dev(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDev]:
    with running_dev(tmp_path_factory.mktemp("dev")) as running:
        yield running


def test_a_change_that_breaks_it_is_told_and_not_served(dev: RunningDev) -> None:
    path = dev.project / ".env"
    good = path.read_text()
    path.write_text(f"{good}CHAT_LIMIT={BAD}\nsecret\n")
    eventually(lambda: "!! not reloaded: .env:4: this line has no =\n" in dev.log)
    told = "!! not reloaded: CHAT_LIMIT must be a rate such as 10/15m, or 0 for no limit\n"
    eventually(lambda: told in dev.log)
    assert "reloaded after" not in dev.log
    path.write_text(good)
    eventually(lambda: "reloaded after a change of .env" in dev.log)
    assert ADMIN["ADMIN_PASSWORD"] not in dev.log
