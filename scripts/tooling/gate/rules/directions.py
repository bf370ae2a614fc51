"""Rules for imports: their directions between packages, and modules without I/O."""

import ast
from collections.abc import Iterator
from pathlib import Path

from scripts.tooling.build.imports import Import, imports_of

GROUND = frozenset(
    {"chat_rules", "config", "credentials", "cursor", "errors", "guessable", "ids", "invisible"}
    | {"json_line", "jwt_coding", "log", "pricing", "problems", "settings", "times", "version"}
)
# The packages that each package of shared/ may import, from the highest layer to the lowest.
MAY_IMPORT = {
    "limits": GROUND | {"accounts", "repos", "web", "database"},
    "exports": GROUND | {"repos", "workers", "database", "storage"},
    "answers": GROUND | {"money", "repos", "database"},
    "llm": GROUND | {"media", "repos", "database", "storage"},
    "accounts": GROUND | {"repos", "web", "database"},
    "money": GROUND | {"repos", "database"},
    "media": GROUND,
    "repos": frozenset({"cursor", "errors", "guessable", "ids", "pricing", "times", "database"}),
    "workers": GROUND | {"web"},
    "web": GROUND,
    "database": GROUND,
    "storage": GROUND,
    **dict.fromkeys(GROUND, GROUND),
}
# Imported everywhere, so they import nothing of this project.
ALONE = frozenset({"shared/errors.py", "shared/invisible.py", "shared/problems.py"})
ONLY_IMPORTER = {"oss2": "shared/storage/oss_bucket.py"}

# A module with this sentence in its docstring must not import these libraries, even indirectly.
PURE = "Does no I/O."
INPUT_AND_OUTPUT = frozenset(
    {"asyncio", "httpx", "oss2", "os", "pathlib", "pymysql", "requests", "shutil", "socket"}
    | {"sqlite3", "ssl", "subprocess", "tempfile", "threading", "urllib.request", "http.client"}
)


def wrong_imports(root: Path) -> Iterator[str]:
    for file in product_files(root):
        for imported in imports_of(file, root):
            for problem in _problems(file.relative_to(root), imported):
                yield f"{imported.at(root)}: {problem}"


def _problems(file: Path, imported: Import) -> Iterator[str]:
    module, in_shared = imported.module, file.parts[0] == "shared"
    owner = ONLY_IMPORTER.get(imported.top_level, file.as_posix())
    if imported.top_level in {"tests", "scripts"}:
        yield f"the product must not import {module}"
    if not in_shared and imported.top_level == "functions" and not _same(file.parts, module):
        yield f"a function must not import {module}"
    if in_shared and imported.top_level == "functions":
        yield f"shared must not import {module}"
    if file.as_posix() in ALONE and imported.top_level in {"functions", "shared"}:
        yield f"{file.name} must not import {module}"
    elif in_shared and imported.top_level == "shared" and not _points_down(wing_of(file), module):
        yield f"{wing_of(file)} must not import {module}"
    if owner != file.as_posix():
        yield f"only {owner} may import {imported.top_level}"


def wing_of(file: Path) -> str:
    """The package of a file in shared/, the name of a top-level module there, or "functions"."""
    place = file.parts
    if place[0] != "shared":
        return place[0]
    return place[1] if len(place) > 2 else file.stem.replace("__init__", "")


def _same(place: tuple[str, ...], module: str) -> bool:
    return module.split(".")[:2] == list(place[:2])


def _points_down(wing: str, module: str) -> bool:
    target = module.split(".")[1]
    return target == wing or target in MAY_IMPORT.get(wing, GROUND)


def wings_without_a_line(root: Path) -> Iterator[str]:
    """Report packages and top-level modules of shared/ that have no entry in MAY_IMPORT."""
    wings = {wing_of(file.relative_to(root)) for file in product_files(root)}
    for wing in sorted(wings - {"functions", ""} - MAY_IMPORT.keys()):
        yield f"shared/{wing}: {__name__} does not say what it may import"


def decisions_that_may_do_io(root: Path) -> Iterator[str]:
    for file in product_files(root):
        if file.name == "logic.py" and not says_pure(file):
            place = file.relative_to(root).as_posix()
            yield f'{place}: its docstring must say "{PURE}"'


def impurities(root: Path) -> Iterator[str]:
    """Report modules that claim to do no I/O but import a library that does."""
    for file in product_files(root):
        if says_pure(file):
            place = file.relative_to(root).as_posix()
            for imported in _reached(file, root):
                where = imported.at(root)
                yield f'{place}: says "{PURE}", but {where} imports {imported.module}'


def says_pure(file: Path) -> bool:
    text = ast.get_docstring(ast.parse(file.read_bytes())) or ""
    return PURE in " ".join(text.split())


def _reached(file: Path, root: Path) -> Iterator[Import]:
    """Every import of a library that does I/O, except through the top-level modules of shared/."""
    waiting, seen = [file], {file}
    while waiting:
        for imported in imports_of(waiting.pop(), root):
            if {imported.module, imported.top_level} & INPUT_AND_OUTPUT:
                yield imported
            for inner in _files_of(imported, root) - seen:
                seen.add(inner)
                waiting.append(inner)


def _files_of(imported: Import, root: Path) -> set[Path]:
    parts = imported.module.split(".")
    if parts[0] not in {"functions", "shared"} or (parts[1:2] and parts[1] in GROUND):
        return set()
    path = root.joinpath(*parts).with_suffix(".py")
    return {path} if path.is_file() else set()


def environment_readers(root: Path) -> Iterator[str]:
    for file in product_files(root):
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


def filled_init_files(root: Path) -> Iterator[str]:
    """Report `__init__.py` files with content: importing a package must load nothing."""
    for file in product_files(root):
        if file.name == "__init__.py" and file.stat().st_size:
            yield f"{file.relative_to(root).as_posix()}: must be empty"


def product_files(root: Path) -> list[Path]:
    return sorted(
        file for folder in ("functions", "shared") for file in (root / folder).rglob("*.py")
    )


CHECKS = (
    wrong_imports,
    wings_without_a_line,
    decisions_that_may_do_io,
    impurities,
    environment_readers,
    filled_init_files,
)
