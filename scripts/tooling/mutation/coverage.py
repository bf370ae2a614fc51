"""The coverage of each test: the statements that it runs, measured once for all mutants."""

import ast
import json
import shutil
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from scripts.tooling.mutation.mutants import Mutant

PLUGIN = "mutation_recorder"
_RECORDER = Path(__file__).with_name("recorder.py")
_CURRENT, _RECORDS = "mutation_current", "mutation_records"
_NO_TEST = 0

Statement = tuple[str, int]  # a module and a line


@dataclass(frozen=True)
class Coverage:
    """The tests by number, the seconds that each took, and which run a statement."""

    names: Mapping[int, str]
    seconds: Mapping[int, float]
    start_seconds: float
    _runs: Mapping[Statement, set[int]] = field(repr=False)

    def seconds_of(self, numbers: Iterable[int]) -> float:
        return self.start_seconds + sum(self.seconds[number] for number in numbers)

    def tests_of(self, root: Path, mutant: Mutant, files: Sequence[str]) -> list[int]:
        """The tests in these files that run the changed statement: SQLite first, then fastest.

        Where it runs at the import, or in a fixture of several tests, all tests of the files:
        those that run anything in the module first.
        """
        line = _statement_at((root / mutant.module).read_text("utf-8"), mutant.line)
        numbers = self._runs.get((mutant.module, line), set())
        if line == 0 or _NO_TEST in numbers:
            numbers = set(self.names)
        in_module = {
            number
            for (module, _), some in self._runs.items()
            if module == mutant.module
            for number in some
        }

        def order(number: int) -> tuple[bool, bool, float]:
            name = self.names[number]
            return number not in in_module, "mariadb" in name, self.seconds[number]

        chosen = [number for number in numbers if self.names[number].startswith(tuple(files))]
        return sorted(chosen, key=order)


@contextmanager
def recording(tree: Path, modules: Iterable[str]) -> Iterator[None]:
    """Let the modules of a tree record what runs, for the plugin of pytest."""
    originals = {tree / module: (tree / module).read_bytes() for module in modules}
    shutil.copy(_RECORDER, tree / f"{PLUGIN}.py")
    (tree / _CURRENT).write_bytes(bytes(8))
    (tree / _RECORDS).touch()
    try:
        for path, content in originals.items():
            path.write_text(_instrumented(content, str(path.relative_to(tree))), "utf-8")
        yield
    finally:
        for path, content in originals.items():
            path.write_bytes(content)


def recorded(tree: Path, all_seconds: float) -> Coverage:
    names, seconds = dict[int, str](), defaultdict[int, float](float)
    runs = defaultdict[Statement, set[int]](set)
    for line in (tree / _RECORDS).read_text("utf-8").splitlines():
        kind, number, *values = json.loads(line)
        if kind == "test":
            names[number] = values[0]
        elif kind == "seconds":
            seconds[number] += values[0]
        else:
            runs[values[0], values[1]].add(number)
    return Coverage(names, seconds, all_seconds - sum(seconds.values()), runs)


def _instrumented(content: bytes, module: str) -> str:
    """The module with a call of the recorder before each statement in a function."""
    tree = ast.parse(content)
    for body, statement in list(_statements(tree)):
        call = f"__import__({PLUGIN!r}).ran({module!r}, {statement.lineno})"
        body.insert(body.index(statement), ast.parse(call).body[0])
    return ast.unparse(tree)


def _statement_at(source: str, line: int) -> int:
    """The first line of the innermost statement of a function around a line; 0 outside of them."""
    around = (
        statement.lineno
        for _, statement in _statements(ast.parse(source))
        if statement.lineno <= line <= (statement.end_lineno or 0)
    )
    return max(around, default=0)


def _statements(
    node: ast.AST, *, in_function: bool = False
) -> Iterator[tuple[list[ast.stmt], ast.stmt]]:
    """The statements in functions, except docstrings, each with the list that holds it."""
    in_function = in_function or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    for name in ("body", "orelse", "finalbody"):
        body = getattr(node, name, None)
        if in_function and isinstance(body, list):
            yield from ((body, statement) for statement in body if not _is_docstring(statement))
    for child in ast.iter_child_nodes(node):
        yield from _statements(child, in_function=in_function)


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
