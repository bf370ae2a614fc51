"""Commands, links and names in the documents are valid."""

import inspect
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.tooling.environment import ROOT
from shared import config, errors, settings
from tests.tooling.local.dev_process import RunningDev, environment, running_dev

README, CHINESE = "README.md", "README.zh-CN.md"
FRONT_PAGES = pytest.mark.parametrize("name", [README, CHINESE])
API = pytest.mark.parametrize("name", ["functions/README.md", "functions/README.zh-CN.md"])
DOCUMENTS = sorted(
    path.relative_to(ROOT).as_posix()
    for pattern in ("*.md", "functions/**/README*.md", "*/README*.md")
    for path in ROOT.glob(pattern)
)
EVERY = pytest.mark.parametrize("name", DOCUMENTS)
TRANSLATED = [name for name in DOCUMENTS if name.endswith(".zh-CN.md")]

# Names of base classes of errors; no answer has them.
GROUPS = {"bad_request", "conflict", "unavailable"}


def text(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


def blocks(name: str) -> list[list[str]]:
    found = re.findall(r"```bash\n(.*?)```", text(name), flags=re.DOTALL)
    return [block.strip().splitlines() for block in found]


def run(command: str, folder: Path = ROOT, **variables: str) -> str:
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env=environment(**variables),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def dev(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDev]:
    with running_dev(tmp_path_factory.mktemp("readme")) as running:
        yield running


def curls() -> list[str]:
    return [line for line in blocks(README)[1] if line.startswith("curl")]


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (0, '"status":"healthy"'),
        (1, '"reply":"【'),
        (2, r"event: delta\n"),
        (3, '"access_token"'),
        (4, '"access_token"'),
    ],
)
def test_each_curl_works_as_it_stands(dev: RunningDev, number: int, expected: str) -> None:
    answer = run(f"BASE={dev.base}\n{curls()[number]} -s", dev.project)
    assert re.search(expected, answer), answer


def test_there_is_no_curl_that_is_not_tried() -> None:
    assert len(curls()) == 5


def test_the_first_administrator_exports_the_users(dev: RunningDev) -> None:
    commands = "\n".join(blocks(README)[2]).replace("http://127.0.0.1:8000", dev.base)

    assert "id," in run(commands, dev.project)


def test_the_first_two_commands_are_the_two_that_matter() -> None:
    assert blocks(README)[0] == ["scripts/dev", "scripts/test"]


@pytest.mark.parametrize("command", blocks("scripts/README.md")[0])
def test_each_invocation_is_answered(command: str, tmp_path: Path) -> None:
    database = f"sqlite:///{tmp_path}/app.db"
    run("scripts/migrate up", DATABASE_URL=database)
    assert '"statusCode": ' in run(command, DATABASE_URL=database)


@FRONT_PAGES
def test_a_front_page_is_short(name: str) -> None:
    assert len(text(name).splitlines()) <= 150


@pytest.mark.parametrize("name", TRANSLATED)
def test_both_languages_show_the_same_commands(name: str) -> None:
    spoken = re.compile(r"Tell me a story|讲个故事")
    english, chinese = (
        [[spoken.sub("...", line) for line in block] for block in blocks(one)]
        for one in (name.replace(".zh-CN", ""), name)
    )
    assert english == chinese


@EVERY
def test_every_link_leads_somewhere(name: str) -> None:
    linked = re.findall(r"\]\((?!https?:)([^)#]+)", text(name))

    assert [one for one in linked if not (ROOT / name).parent.joinpath(one).exists()] == []


@EVERY
def test_every_command_of_ours_exists_and_can_be_run(name: str) -> None:
    if name == "CHANGELOG.md":
        pytest.skip("it speaks of the past")
    named = set(re.findall(r"\bscripts/\w+(?![\w/.])", text(name))) - {"scripts/migrations"}
    assert [path for path in sorted(named) if not os.access(ROOT / path, os.X_OK)] == []


@pytest.mark.parametrize("name", ["scripts/README.md", "scripts/README.zh-CN.md"])
def test_every_command_is_described(name: str) -> None:
    commands = {f"scripts/{path.name}" for path in ROOT.glob("scripts/*") if "." not in path.name}
    described = set(re.findall(r"^\| `(scripts/\w+)` \|", text(name), flags=re.MULTILINE))

    assert described == {one for one in commands if (ROOT / one).is_file()}


@API
def test_the_error_table_is_the_errors(name: str) -> None:
    rows = re.findall(r"^\| (\d{3}) \| (.*) \|$", text(name), flags=re.MULTILINE)
    listed = {(int(status), error) for status, row in rows for error in re.findall(r"`(\w+)`", row)}
    raised = {
        (kind.status, kind.name)
        for _, kind in inspect.getmembers(errors, inspect.isclass)
        if issubclass(kind, errors.AppError) and kind.name not in GROUPS
    }
    assert listed == raised


@EVERY
def test_every_variable_named_is_one_that_can_be_set(name: str) -> None:
    settable = set(re.findall(r"^(?:# )?([A-Z_]+)=", text(".env.example"), flags=re.MULTILINE))
    sections = [
        value for value in vars(settings).values() if hasattr(value, "__dataclass_fields__")
    ]
    aliases = {n for s in sections for v in config.variables(s) for n in v.names}
    other = {"NODE_ENV", "FC_AI_PYTHON", "FC_ACCESS", "DAILY_NOTES"}  # the last one is an example
    constants = {"SCHEMA_VERSION", "OWN_DATASETS", "ODD_AND_COMPLETE"}
    named = set(re.findall(r"`([A-Z][A-Z0-9]*_[A-Z0-9_]+)[`=]", text(name)))
    assert named - settable - aliases - other - constants == set()


@FRONT_PAGES
def test_the_tree_is_what_is_there(name: str) -> None:
    rooms = re.findall(r"^([\w.]+)(?:/| )", text(name).split("```")[-2], flags=re.MULTILINE)
    assert rooms
    assert [room for room in rooms if not (ROOT / room).exists()] == []
