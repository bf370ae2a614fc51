"""Import directions: which wing may import which, and which modules do no I/O."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.tooling.build.imports import Import, imports_of

ROOT = Path(__file__).resolve().parents[2]

GROUND = frozenset(
    {"config", "credentials", "cursor", "errors", "ids", "jwt_coding", "log", "pricing"}
    | {"settings", "times", "version"}
)
# What a wing of shared/ may import beside itself. The floors of the house, from the top down.
MAY_IMPORT = {
    "limits": GROUND | {"accounts", "repos", "web", "database"},
    "exports": GROUND | {"repos", "workers", "database", "storage"},
    "llm": GROUND | {"repos", "database"},
    "accounts": GROUND | {"repos", "web", "database"},
    "money": GROUND | {"repos", "database"},
    "repos": frozenset({"cursor", "errors", "ids", "pricing", "times", "database"}),
    "workers": GROUND | {"web"},
    "web": GROUND,
    "database": GROUND,
    "storage": GROUND,
    **dict.fromkeys(GROUND, GROUND),
}
# Part of the public contract, and imported by everybody: they import nothing of ours.
ALONE = frozenset({"shared/errors.py", "shared/web/fields.py"})
ONLY_IMPORTER = {"oss2": "shared/storage/oss_bucket.py"}

# A module whose docstring says this reaches none of the libraries below, also not indirectly.
PURE = "Does no I/O."
INPUT_AND_OUTPUT = frozenset(
    {"asyncio", "httpx", "oss2", "os", "pathlib", "pymysql", "requests", "shutil", "socket"}
    | {"sqlite3", "ssl", "subprocess", "tempfile", "threading", "urllib.request", "http.client"}
)


def test_imports_point_one_way() -> None:
    assert "\n".join(violations(ROOT)) == ""


def test_every_wing_has_its_line_in_the_table() -> None:
    wings = {wing_of(file.relative_to(ROOT)) for file in _product_files(ROOT)}

    assert wings - {"functions", ""} == set(MAY_IMPORT)


def test_a_wrong_direction_is_named_with_its_line(tmp_path: Path) -> None:
    _write(tmp_path, "functions/a/index.py", "from functions.b import index\n")
    _write(tmp_path, "functions/b/index.py", "from shared.errors import AppError\n")
    _write(tmp_path, "shared/database/threads.py", "def late():\n    import scripts.tooling\n")
    _write(tmp_path, "shared/errors.py", "from . import ids\n")
    _write(tmp_path, "shared/ids.py", "import shared.web.endpoint\n")
    _write(tmp_path, "shared/repos/users.py", "from functions.b import index\nimport shared.log\n")
    _write(tmp_path, "shared/repos/exports.py", "from shared.exports import columns\n")
    _write(tmp_path, "shared/exports/columns.py", "from shared.repos import users\n")
    _write(tmp_path, "shared/web/endpoint.py", "import os\nimport oss2\n")
    _write(tmp_path, "shared/log.py", "")
    _write(tmp_path, "scripts/tooling.py", "")

    assert list(violations(tmp_path)) == [
        "functions/a/index.py:1: a function must not import functions.b.index",
        "shared/database/threads.py:2: the product must not import scripts.tooling",
        "shared/errors.py:1: errors.py must not import shared.ids",
        "shared/ids.py:1: ids must not import shared.web.endpoint",
        "shared/repos/exports.py:1: repos must not import shared.exports.columns",
        "shared/repos/users.py:1: shared must not import functions.b.index",
        "shared/repos/users.py:2: repos must not import shared.log",
        "shared/web/endpoint.py:2: only shared/storage/oss_bucket.py may import oss2",
    ]


def test_modules_that_say_so_do_no_io() -> None:
    assert "\n".join(impurities(ROOT)) == ""


def test_decisions_are_among_them() -> None:
    silent = [
        file.relative_to(ROOT).as_posix()
        for file in _product_files(ROOT)
        if file.name == "logic.py" and not _says_pure(file)
    ]

    assert silent == []


@pytest.mark.parametrize("library", ["socket", "urllib.request"])
def test_io_is_named_with_the_way_to_it(library: str, tmp_path: Path) -> None:
    _write(tmp_path, "functions/a/index.py", "import socket\n")
    _write(tmp_path, "functions/a/logic.py", f'"""Who. {PURE}"""\nfrom shared.web import a\n')
    _write(tmp_path, "functions/b/logic.py", f'"""Who. {PURE}"""\nimport urllib.parse\n')
    _write(tmp_path, "shared/web/a.py", "def late():\n    from shared.web import b\n")
    _write(tmp_path, "shared/web/b.py", f"import json\nimport {library}\n")

    assert list(impurities(tmp_path)) == [
        f"functions/a/logic.py: says that it does no I/O, but shared/web/b.py:2 imports {library}"
    ]


def test_every_init_file_of_the_product_is_empty() -> None:
    filled = [f for f in _product_files(ROOT) if f.name == "__init__.py" and f.stat().st_size]

    assert filled == []


def test_only_one_module_reads_the_environment() -> None:
    assert "\n".join(environment_readers(ROOT)) == ""


def test_a_module_that_reads_the_environment_is_named_with_its_line(tmp_path: Path) -> None:
    _write(tmp_path, "functions/a/index.py", "import os\n\nKEY = os.environ['KEY']\n")
    _write(tmp_path, "shared/config.py", "import os\n\nos.environ\n")
    _write(tmp_path, "shared/database/mysql.py", "from os import getenv\n")

    assert list(environment_readers(tmp_path)) == [
        "functions/a/index.py:3: only shared/config.py reads the environment",
        "shared/database/mysql.py:1: only shared/config.py reads the environment",
    ]


def wing_of(file: Path) -> str:
    """The wing of a file below the root, the name of a module of the ground, or "functions"."""
    place = file.parts
    if place[0] != "shared":
        return place[0]
    return place[1] if len(place) > 2 else file.stem.replace("__init__", "")


def violations(root: Path) -> Iterator[str]:
    for file in _product_files(root):
        for wanted in imports_of(file, root):
            for problem in _problems(file.relative_to(root), wanted):
                yield f"{wanted.at(root)}: {problem}"


def _problems(file: Path, wanted: Import) -> Iterator[str]:
    module, in_shared = wanted.module, file.parts[0] == "shared"
    owner = ONLY_IMPORTER.get(wanted.top_level, file.as_posix())
    if wanted.top_level in {"tests", "scripts"}:
        yield f"the product must not import {module}"
    if not in_shared and wanted.top_level == "functions" and not _same(file.parts, module):
        yield f"a function must not import {module}"
    if in_shared and wanted.top_level == "functions":
        yield f"shared must not import {module}"
    if file.as_posix() in ALONE and wanted.top_level in {"functions", "shared"}:
        yield f"{file.name} must not import {module}"
    elif in_shared and wanted.top_level == "shared" and not _points_down(wing_of(file), module):
        yield f"{wing_of(file)} must not import {module}"
    if owner != file.as_posix():
        yield f"only {owner} may import {wanted.top_level}"


def _same(place: tuple[str, ...], module: str) -> bool:
    return module.split(".")[:2] == list(place[:2])


def _points_down(wing: str, module: str) -> bool:
    target = module.split(".")[1]
    return target == wing or target in MAY_IMPORT.get(wing, GROUND)


def impurities(root: Path) -> Iterator[str]:
    for file in _product_files(root):
        if _says_pure(file):
            for wanted in _reached(file, root):
                place = file.relative_to(root).as_posix()
                yield (
                    f"{place}: says that it does no I/O, but {wanted.at(root)} imports"
                    f" {wanted.module}"
                )


def _says_pure(file: Path) -> bool:
    text = ast.get_docstring(ast.parse(file.read_bytes())) or ""
    return PURE in " ".join(text.split())


def _reached(file: Path, root: Path) -> Iterator[Import]:
    """Every import of a library that does I/O. The ground is allowed, and not looked into."""
    waiting, seen = [file], {file}
    while waiting:
        for wanted in imports_of(waiting.pop(), root):
            if {wanted.module, wanted.top_level} & INPUT_AND_OUTPUT:
                yield wanted
            for inner in _files_of(wanted, root) - seen:
                seen.add(inner)
                waiting.append(inner)


def _files_of(wanted: Import, root: Path) -> set[Path]:
    parts = wanted.module.split(".")
    if parts[0] not in {"functions", "shared"} or (parts[1:2] and parts[1] in GROUND):
        return set()
    path = root.joinpath(*parts).with_suffix(".py")
    return {path} if path.is_file() else set()


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
    for folder in [file.parent, *file.parent.parents]:
        if folder != root and folder.is_relative_to(root):
            (folder / "__init__.py").touch()
