"""Imports of modules, read from their source without running it."""

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

OURS = ("functions", "shared", "scripts", "tests")


class ImportProblem(Exception):
    """A module of this project does not exist; the message names the file and the line."""


@dataclass(frozen=True)
class Import:
    """One import: the module in dotted form, and the file and line of the statement."""

    module: str
    file: Path
    line: int

    @property
    def top_level(self) -> str:
        return self.module.partition(".")[0]

    def at(self, root: Path) -> str:
        return f"{self.file.relative_to(root).as_posix()}:{self.line}"


@dataclass(frozen=True)
class Reached:
    """The dependencies of a module: files of this project, and each import per foreign package."""

    files: tuple[Path, ...]
    third_party: tuple[Import, ...]


def reached_from(module: str, root: Path, *more: str) -> Reached:
    """Follow all imports from the module and from more, also those inside functions.

    Raises:
        ImportProblem: an imported module of this project does not exist.
    """
    waiting, seen = [module, *more], {module, *more}
    files: set[Path] = set()
    foreign: dict[str, Import] = {}
    while waiting:
        current = waiting.pop()
        files.update(_packages_above(current, root))
        file = _file_of(current, root)
        if file is None:
            raise ImportProblem(f"{current} does not exist")
        files.add(file)
        for imported in imports_of(file, root):
            if imported.top_level not in OURS:
                foreign.setdefault(imported.top_level, imported)
            elif imported.module not in seen:
                seen.add(imported.module)
                waiting.append(imported.module)
    third_party = [foreign[name] for name in sorted(foreign) if not _is_standard(name)]
    return Reached(tuple(sorted(files)), tuple(third_party))


def imports_of(file: Path, root: Path) -> tuple[Import, ...]:
    """List the run-time imports of a file; `from a import b` gives `a.b` if that is a module.

    Raises:
        ImportProblem: an imported module of this project does not exist.
    """
    found = tuple(
        Import(module, file, line)
        for line, statement in _statements(file.read_bytes())
        for module in _modules(statement, file, root)
    )
    for each in found:
        if each.top_level in OURS and _file_of(each.module, root) is None:
            raise ImportProblem(f"{each.at(root)}: {each.module} does not exist")
    return found


@lru_cache(maxsize=2000)
def _statements(source: bytes) -> tuple[tuple[int, ast.Import | ast.ImportFrom], ...]:
    """The import statements of a file and their lines, cached: functions share most files."""
    return tuple(
        (node.lineno, node)
        for node in _run_time_nodes(ast.parse(source))
        if isinstance(node, ast.Import | ast.ImportFrom)
    )


def _run_time_nodes(tree: ast.AST) -> Iterator[ast.AST]:
    """Walk the tree like `ast.walk`, without the bodies of `if TYPE_CHECKING:`."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and _names_type_checking(node.test):
            for other in node.orelse:
                yield other
                yield from _run_time_nodes(other)
        else:
            yield node
            yield from _run_time_nodes(node)


def _names_type_checking(test: ast.expr) -> bool:
    return ast.unparse(test) in {"TYPE_CHECKING", "typing.TYPE_CHECKING"}


def _modules(node: ast.Import | ast.ImportFrom, file: Path, root: Path) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    else:
        base = _absolute(node, file, root)
        for alias in node.names:
            inner = f"{base}.{alias.name}"
            yield inner if _file_of(inner, root) else base


def _absolute(node: ast.ImportFrom, file: Path, root: Path) -> str:
    if not node.level:
        return node.module or ""
    package = file.relative_to(root).parent.parts
    above = package[: len(package) - node.level + 1]
    return ".".join((*above, *filter(None, [node.module])))


def _file_of(module: str, root: Path) -> Path | None:
    if module.partition(".")[0] not in OURS:
        return None
    path = root.joinpath(*module.split("."))
    for candidate in (path.with_suffix(".py"), path / "__init__.py"):
        if candidate.is_file():
            return candidate
    return None


def _packages_above(module: str, root: Path) -> Iterator[Path]:
    parts = module.split(".")[:-1]
    for depth in range(1, len(parts) + 1):
        init = root.joinpath(*parts[:depth], "__init__.py")
        if init.is_file():
            yield init


def _is_standard(name: str) -> bool:
    return name in sys.stdlib_module_names or name == "__future__"
