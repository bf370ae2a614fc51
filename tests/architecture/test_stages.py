"""Deployed packages: small, complete, and without unnecessary imports."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.tooling.build.stages import Staged, build
from scripts.tooling.setup import interpreters

ROOT = Path(__file__).resolve().parents[2]
FUNCTIONS = sorted(file.parent.name for file in ROOT.glob("functions/*/index.py"))
MEGABYTE = 1_000_000

HEAVY = frozenset(
    {
        "asyncio",
        "bcrypt",
        "cryptography",
        "fc2",
        "httpx",
        "jwt",
        "nacl",
        "oss2",
        "pydantic",
        "pymysql",
    }
    | {"sqlite3", "ssl", "uvicorn", "xlsxwriter"}
)
# Packages that a cold start imports. Add to a line only on purpose.
# (jwt brings ssl: it can fetch keys.)
LOADED = {
    "health": set(),
    "register": {"bcrypt", "jwt", "pydantic", "ssl"},
    "login": {"bcrypt", "jwt", "pydantic", "ssl"},
    "account": {"bcrypt", "jwt", "pydantic", "ssl"},
    "session": {"jwt", "pydantic", "ssl"},
    "chat": {"asyncio", "httpx", "jwt", "pydantic", "ssl"},
    "export": {"jwt", "pydantic", "ssl"},
    "exports": {
        "cryptography",
        "jwt",
        "pydantic",
        "ssl",
    },  # jwt imports it if oss2 has brought it along
    "export_worker": {"cryptography", "jwt", "ssl"},
    "credits": {"jwt", "pydantic", "ssl"},
    "conversations": {"jwt", "pydantic", "ssl"},
    "location": {"jwt", "pydantic", "ssl"},
    "drugs": {"jwt", "pydantic", "ssl"},
    "models": set(),
    "admin": {"jwt", "pydantic", "ssl"},
    "maintenance": set(),
    "upload": {"jwt", "pydantic", "ssl"},
}
WITH_STORAGE = {"exports", "export_worker"}  # oss2 and what it needs come to 12 MB
LARGEST_ZIP = {
    "exports": 18 * MEGABYTE,
    "export_worker": 15 * MEGABYTE,
    "health": 2 * MEGABYTE,
    "location": 4_200_000,
    "register": 5 * MEGABYTE,
    "login": 5 * MEGABYTE,
    "upload": 5 * MEGABYTE,
    "drugs": 9 * MEGABYTE,  # the client of models
    "chat": 9 * MEGABYTE,  # 2 of it for pynacl, which opens the keys of stored upstreams
}

_LOADED = """
import importlib, json, sys
sys.path.insert(0, sys.argv[1])
module = importlib.import_module(sys.argv[2])
assert callable(module.handler)
print(json.dumps([module.__file__, sorted({name.partition(".")[0] for name in sys.modules})]))
"""


@pytest.fixture(scope="module")
def staged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, dict[str, Staged]]]:
    """All functions, staged as scripts/build does it, with the project's stored wheels."""
    root = tmp_path_factory.mktemp("project")
    for name in ("functions", "shared", "s.yaml", "requirements.txt", "scripts/locks"):
        source = ROOT / name
        shutil.copytree(source, root / name) if source.is_dir() else shutil.copy(source, root)
    compiled = interpreters.find(["3.12"]) is not None
    done = build(root, FUNCTIONS, compiled=compiled, kept=ROOT / ".local" / "wheels")
    yield root / ".build", {stage.name: stage for stage in done}
    shutil.rmtree(root)


def test_every_function_has_its_place_in_these_tables() -> None:
    assert set(FUNCTIONS) <= LOADED.keys()


@pytest.mark.parametrize("function", sorted(LARGEST_ZIP.keys() & set(FUNCTIONS)))
def test_a_package_stays_small(function: str, staged: tuple[Path, dict[str, Staged]]) -> None:
    assert staged[1][function].zipped_bytes <= LARGEST_ZIP[function]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_stage_imports_alone_and_loads_only_what_it_must(
    function: str, staged: tuple[Path, dict[str, Staged]]
) -> None:
    python = interpreters.find(["3.12"])
    if python is None:
        pytest.skip("no Python 3.12 here, and the wheels are for it")
    stage = staged[0] / function
    module = f"functions.{function}.index"

    done = subprocess.run(
        [python, "-I", "-S", "-B", "-c", _LOADED, str(stage), module],
        cwd=stage,
        env={},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    file, loaded = json.loads(done.stdout)
    assert Path(file) == stage / "functions" / function / "index.py"
    assert HEAVY & set(loaded) == LOADED[function]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_stage_holds_nothing_that_only_tools_need(
    function: str, staged: tuple[Path, dict[str, Staged]]
) -> None:
    stage = staged[0] / function
    names = {path.name for path in stage.iterdir()}

    assert not names & {"fc2", "yaml", "scripts", "tests", "bin"}
    assert ({"oss2", "cryptography"} & names != set()) == (function in WITH_STORAGE)
    assert [path.name for path in (stage / "functions").iterdir() if path.is_dir()] in (
        [function],
        ["__pycache__", function],
        [function, "__pycache__"],
    )
    assert (function == "health") <= ("pydantic" not in names)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_stage_holds_no_links_events_or_secrets(
    function: str, staged: tuple[Path, dict[str, Staged]]
) -> None:
    unwanted = [
        path
        for path in (staged[0] / function).rglob("*")
        if path.is_symlink()
        or path.name == ".env"
        or path.match("functions/*/event*.json")
        or path.match("functions/*/README*.md")
    ]

    assert unwanted == []
