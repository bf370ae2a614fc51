"""Which modules a module imports, read from the source without running it."""

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

OURS = ("functions", "shared", "scripts", "tests")


class ImportProblem(Exception):
    """An import of ours leads nowhere; the message names the file and the line."""


@dataclass(frozen=True)
class Import:
    """`module` in dotted form, and where it is asked for."""

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
    """Everything one module needs: our files, and the first import of each foreign name."""

    files: tuple[Path, ...]
    third_party: tuple[Import, ...]


def reached_from(module: str, root: Path) -> Reached:
    """Follow every import, those inside functions too, from one module of ours.

    Raises:
        ImportProblem: an import of ours does not exist.
    """
    waiting, seen = [module], {module}
    files: set[Path] = set()
    foreign: dict[str, Import] = {}
    while waiting:
        current = waiting.pop()
        files.update(_packages_above(current, root))
        file = _file_of(current, root)
        if file is None:
            raise ImportProblem(f"{module} does not exist")
        files.add(file)
        for wanted in imports_of(file, root):
            if wanted.top_level not in OURS:
                foreign.setdefault(wanted.top_level, wanted)
            elif wanted.module not in seen:
                seen.add(wanted.module)
                waiting.append(wanted.module)
    third_party = [foreign[name] for name in sorted(foreign) if not _is_standard(name)]
    return Reached(tuple(sorted(files)), tuple(third_party))


def imports_of(file: Path, root: Path) -> tuple[Import, ...]:
    """List what a file imports at run time; `from a import b` names `a.b` if that is a module.

    Raises:
        ImportProblem: an import of ours does not exist.
    """
    found = tuple(
        Import(module, file, line)
        for line, statement in _statements(file.read_bytes())
        for module in _modules(statement, file, root)
    )
    for one in found:
        if one.top_level in OURS and _file_of(one.module, root) is None:
            raise ImportProblem(f"{one.at(root)}: {one.module} does not exist")
    return found


@lru_cache(maxsize=2000)
def _statements(source: bytes) -> tuple[tuple[int, ast.Import | ast.ImportFrom], ...]:
    """The import statements of a file and their lines. Every function asks for the same files."""
    return tuple(
        (node.lineno, node)
        for node in _run_time_nodes(ast.parse(source))
        if isinstance(node, ast.Import | ast.ImportFrom)
    )


def _run_time_nodes(tree: ast.AST) -> Iterator[ast.AST]:
    """Like `ast.walk`, without what stands under `if TYPE_CHECKING:`."""
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
