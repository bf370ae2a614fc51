"""scripts/build stops when `s` has read other values than those in `.env`."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.tooling.environment import ROOT

MANIFEST = """\
resources:
  hello:
    component: fc3
    props:
      functionName: demo-hello
      code: ./.build/hello
      handler: functions.hello.index.handler
      runtime: python3.12
      cpu: 1
      memorySize: 1024
      diskSize: 512
      timeout: 30
      environmentVariables:
        SECRET: "${env('SECRET', '') || env('ALIAS')}"
"""
EXPANDED = "s expands the $ in"
CUT = "s stops at the # in"
OTHERWISE = "s reads quotes, blanks or backslashes differently in"
QUOTE = "put the value in single quotes"
EXPORT = "take the line out of .env and export the variable in the shell before s deploy"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with the real scripts and one function without packages."""
    root = tmp_path_factory.mktemp("project")
    shutil.copytree(ROOT / "scripts", root / "scripts")
    for name in (path.name for path in ROOT.glob("requirements*.txt")):
        shutil.copy(ROOT / name, root)
    (root / "s.yaml").write_text(MANIFEST)
    folder = root / "functions/hello"
    folder.mkdir(parents=True)
    for file in (folder.parent / "__init__.py", folder / "__init__.py"):
        file.touch()
    (folder / "index.py").write_text("def handler(event, context):\n    return {}\n")
    return root


def build(root: Path, written: str, *, by_s: bool = True, **environ: str) -> tuple[int, str]:
    """Run scripts/build as an action of `s`, with the variables that `s` read; or without `s`."""
    (root / ".env").write_text(written, encoding="utf-8")
    run_by_s = {"serverless_devs_traceid": "1"} if by_s else {}
    done = subprocess.run(
        [sys.executable, root / "scripts/build", "--uncompiled"],
        env={"PATH": os.environ["PATH"], **run_by_s, **environ},
        capture_output=True,
        text=True,
    )
    assert "word" not in done.stdout + done.stderr
    return done.returncode, done.stderr


def refused(*lines: str) -> tuple[int, str]:
    return 1, "".join(
        ["scripts/build: nothing was deployed.\n", *(f"  .env: {x}\n" for x in lines)]
    )


@pytest.mark.parametrize(
    ("written", "arrives", "difference", "remedy"),
    [
        ("SECRET=pa$word1", "pa", EXPANDED, EXPORT),
        ("SECRET='pa$word1'", "pa", EXPANDED, EXPORT),
        ("SECRET='pa\\$word1'", "pa", EXPANDED, EXPORT),
        ("SECRET='pa\\$word1'", "pa$word1", EXPANDED, EXPORT),
        ("SECRET=pa${HOME:-x}", "pax", EXPANDED, EXPORT),
        ("OTHER=word\nSECRET=pa$OTHER", "paword", EXPANDED, EXPORT),
        ("SECRET=pass#word1", "pass", CUT, QUOTE),
        ('SECRET=[{"key":"a#word"}]', '[{"key":"a', CUT, QUOTE),
        ("SECRET=pa$word#1", "pa", CUT, EXPORT),
        ("SECRET=it's#word", "it's", CUT, EXPORT),
        ('SECRET="a\\"b"', 'a\\"b', OTHERWISE, QUOTE),
        ("SECRET='a\\\\b'", "a\\\\b", OTHERWISE, EXPORT),
        ('SECRET="a\\tb"', "a\\tb", OTHERWISE, QUOTE),
        ("SECRET=`ab`", "ab", OTHERWISE, QUOTE),
    ],
)
def test_a_value_that_s_made_something_else_of_is_refused(
    root: Path, written: str, arrives: str, difference: str, remedy: str
) -> None:
    assert build(root, written, SECRET=arrives, OTHER="word") == refused(
        f"{difference} SECRET; {remedy}"
    )


def test_a_line_that_only_s_can_read_is_refused(root: Path) -> None:
    code, said = build(root, "SECRET: yes", SECRET="yes")

    assert code == 1
    assert said.endswith(
        "  .env: s finds a value that we do not find in SECRET; write the line as NAME=value\n"
    )


def test_every_variable_is_named_that_the_manifest_uses(root: Path) -> None:
    written = "SECRET=a#word\nALIAS=b$word\nUNUSED=c#word\n"

    assert build(root, written, SECRET="a", ALIAS="b", UNUSED="c") == refused(
        f"{EXPANDED} ALIAS; {EXPORT}", f"{CUT} SECRET; {QUOTE}"
    )


@pytest.mark.parametrize(
    ("written", "arrives"),
    [
        ("SECRET=plain", "plain"),
        ("SECRET='pass#word1'", "pass#word1"),
        ("SECRET=spaced out  # and a remark", "spaced out"),
        ("SECRET=costs 5$", "costs 5$"),
        ('export SECRET="two\\nlines"', "two\nlines"),
        ("SECRET=", ""),
    ],
)
def test_a_value_that_arrived_as_written_is_deployed(
    root: Path, written: str, arrives: str
) -> None:
    assert build(root, written, SECRET=arrives) == (0, "")


@pytest.mark.parametrize("written", ["SECRET=pa$word1", "SECRET=pass#word1", "SECRET=", "OTHER=1"])
def test_a_variable_of_the_shell_is_deployed_whatever_the_file_says(
    root: Path, written: str
) -> None:
    assert build(root, written, SECRET="another") == (0, "")


def test_what_is_built_by_hand_was_not_read_by_s(root: Path) -> None:
    assert build(root, "SECRET=pa$word1", by_s=False) == (0, "")


def test_without_a_file_there_is_nothing_to_misread(root: Path) -> None:
    (root / ".env").unlink(missing_ok=True)
    done = subprocess.run(
        [sys.executable, root / "scripts/build", "--uncompiled"],
        env={"PATH": os.environ["PATH"], "serverless_devs_traceid": "1", "SECRET": "a"},
    )
    assert done.returncode == 0
