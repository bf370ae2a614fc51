"""Imports point one way, and nothing of ours hides in an __init__.py."""

import ast
from collections.abc import Iterator
from pathlib import Path

from scripts.tooling.imports import Import, imports_of

ROOT = Path(__file__).resolve().parents[2]

# What a decision must not touch: the network, the disk, the clock of the process, the database.
INPUT_AND_OUTPUT = frozenset(
    {"asyncio", "httpx", "oss2", "os", "pathlib", "pymysql", "requests", "shutil", "socket"}
    | {"sqlite3", "ssl", "subprocess", "tempfile", "threading", "urllib"}
)
NOT_FOR_LOGIC = frozenset(
    {
        "shared.asgi",
        "shared.auth",
        "shared.connection",
        "shared.db",
        "shared.db_async",
        "shared.llm.client",
    }
    | {"shared.mysql", "shared.sessions", "shared.sqlite", "shared.storage"}
)
FOR_REPOS = (
    "shared.db",
    "shared.errors",
    "shared.ids",
    "shared.pricing",
    "shared.repos",
    "shared.times",
)
ONLY_IMPORTER = {"oss2": "shared/storage.py"}


def test_imports_point_one_way() -> None:
    assert "\n".join(violations(ROOT)) == ""


def test_a_wrong_direction_is_named_with_its_line(tmp_path: Path) -> None:
    _write(tmp_path, "functions/a/index.py", "from functions.b import index\n")
    _write(tmp_path, "functions/a/logic.py", "import shared.db\nimport socket\n")
    _write(tmp_path, "functions/b/index.py", "from shared.errors import AppError\n")
    _write(tmp_path, "shared/db.py", "def late():\n    import scripts.tooling\n")
    _write(tmp_path, "shared/errors.py", "from . import db\n")
    _write(tmp_path, "shared/repos/users.py", "from functions.b import index\nimport shared.http\n")
    _write(tmp_path, "shared/http.py", "import os\nimport oss2\n")
    _write(tmp_path, "scripts/tooling.py", "")

    assert list(violations(tmp_path)) == [
        "functions/a/index.py:1: a function must not import functions.b.index",
        "functions/a/logic.py:1: a decision must not import shared.db",
        "functions/a/logic.py:2: a decision must not import socket",
        "shared/db.py:2: the product must not import scripts.tooling",
        "shared/errors.py:1: shared.errors must not import shared.db",
        "shared/http.py:2: only shared/storage.py may import oss2",
        "shared/repos/users.py:1: shared must not import functions.b.index",
        "shared/repos/users.py:1: a repository must not import functions.b.index",
        "shared/repos/users.py:2: a repository must not import shared.http",
    ]


def test_every_init_file_of_the_product_is_empty() -> None:
    filled = [f for f in _product_files(ROOT) if f.name == "__init__.py" and f.stat().st_size]

    assert filled == []


def test_only_one_module_reads_the_environment() -> None:
    assert "\n".join(environment_readers(ROOT)) == ""


def test_a_module_that_reads_the_environment_is_named_with_its_line(tmp_path: Path) -> None:
    _write(tmp_path, "functions/a/index.py", "import os\n\nKEY = os.environ['KEY']\n")
    _write(tmp_path, "shared/config.py", "import os\n\nos.environ\n")
    _write(tmp_path, "shared/db.py", "from os import getenv\n")

    assert list(environment_readers(tmp_path)) == [
        "functions/a/index.py:3: only shared/config.py reads the environment",
        "shared/db.py:1: only shared/config.py reads the environment",
    ]


def violations(root: Path) -> Iterator[str]:
    for file in _product_files(root):
        for wanted in imports_of(file, root):
            for problem in _problems(file.relative_to(root), wanted):
                yield f"{wanted.at(root)}: {problem}"


def _problems(file: Path, wanted: Import) -> Iterator[str]:
    module, place = wanted.module, file.parts
    owner = ONLY_IMPORTER.get(wanted.top_level, file.as_posix())
    if wanted.top_level in {"tests", "scripts"}:
        yield f"the product must not import {module}"
    if place[0] == "functions" and wanted.top_level == "functions" and not _same(place, module):
        yield f"a function must not import {module}"
    if file.name == "logic.py" and _is_forbidden_to_logic(wanted):
        yield f"a decision must not import {module}"
    if place[0] == "shared" and wanted.top_level == "functions":
        yield f"shared must not import {module}"
    if file.as_posix() in {"shared/errors.py", "shared/fields.py"} and _is_ours(wanted):
        yield f"shared.{file.stem} must not import {module}"
    if place[:2] == ("shared", "repos") and _is_ours(wanted) and not module.startswith(FOR_REPOS):
        yield f"a repository must not import {module}"
    if owner != file.as_posix():
        yield f"only {owner} may import {wanted.top_level}"


def _same(place: tuple[str, ...], module: str) -> bool:
    return module.split(".")[:2] == list(place[:2])


def _is_ours(wanted: Import) -> bool:
    return wanted.top_level in {"functions", "shared"}


def _is_forbidden_to_logic(wanted: Import) -> bool:
    return wanted.top_level in INPUT_AND_OUTPUT or wanted.module in NOT_FOR_LOGIC


def environment_readers(root: Path) -> Iterator[str]:
    for file in _product_files(root):
        place = file.relative_to(root).as_posix()
        if place == "shared/config.py":
            continue
        for node in ast.walk(ast.parse(file.read_bytes())):
            if _touches_environment(node):
                line = getattr(node, "lineno", 0)
                yield f"{place}:{line}: only shared/config.py reads the environment"


def _touches_environment(node: ast.AST) -> bool:
    names = {"environ", "environb", "getenv", "getenvb", "putenv"}
    if isinstance(node, ast.Attribute):
        return node.attr in names and ast.unparse(node.value) == "os"
    if isinstance(node, ast.ImportFrom):
        return node.module == "os" and any(alias.name in names for alias in node.names)
    return False


def _product_files(root: Path) -> list[Path]:
    return sorted(
        file for folder in ("functions", "shared") for file in (root / folder).rglob("*.py")
    )


def _write(root: Path, place: str, text: str) -> None:
    file = root / place
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    (root / "shared" / "repos").mkdir(parents=True, exist_ok=True)
    for folder in [file.parent, *file.parent.parents]:
        if folder != root and folder.is_relative_to(root):
            (folder / "__init__.py").touch()
