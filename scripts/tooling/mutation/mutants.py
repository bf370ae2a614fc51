"""Mutants of a module: small wrong versions of its source, each with one change."""

import ast
import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from scripts.tooling.mutation import operators, sql
from scripts.tooling.mutation.edits import Edit, Source


@dataclass(frozen=True)
class Mutant:
    """A changed module. `before` and `after` are the lines that differ, without indentation."""

    module: str
    function: str
    line: int
    before: str
    after: str
    source: bytes

    def diff(self) -> str:
        removed = [f"- {line}" for line in self.before.splitlines()]
        return "\n".join([*removed, *(f"+ {line}" for line in self.after.splitlines())])


def mutants_of(root: Path, module: str) -> list[Mutant]:
    """All mutants of a module, in the order of its lines."""
    source = Source((root / module).read_bytes())
    tree = ast.parse(source.content)
    edits = {
        (edit.start, edit.end, edit.text): (edit, function)
        for function, node in _nodes(tree, ())
        for edit in (*operators.edits(source, node), *sql.edits(source, node))
    }
    found = (
        _mutant(source, module, function, edit)
        for _, (edit, function) in sorted(edits.items(), key=lambda item: item[0])
    )
    return [mutant for mutant in found if mutant is not None]


def _nodes(node: ast.AST, scope: tuple[str, ...]) -> Iterator[tuple[str, ast.AST]]:
    """All nodes that run, with the function that they belong to."""
    for child in operators.running_parts(node):
        yield ".".join(scope), child
        named = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        yield from _nodes(child, (*scope, child.name) if named else scope)  # type: ignore[attr-defined]


def _mutant(source: Source, module: str, function: str, edit: Edit) -> Mutant | None:
    """The mutant of an edit; None if the edit is no Python or changes nothing that runs."""
    content = source.content[: edit.start] + edit.text.encode() + source.content[edit.end :]
    try:
        if ast.dump(ast.parse(content)) == ast.dump(ast.parse(source.content)):
            return None
    except SyntaxError:
        return None
    lines, changed = source.content.decode().splitlines(), content.decode().splitlines()
    differing = [
        block
        for block in difflib.SequenceMatcher(None, lines, changed, autojunk=False).get_opcodes()
        if block[0] != "equal"
    ]
    first, last = differing[0], differing[-1]
    return Mutant(
        module,
        function or "module",
        first[1] + 1,
        _text(lines[first[1] : last[2]]),
        _text(changed[first[3] : last[4]]),
        content,
    )


def _text(lines: list[str]) -> str:
    return "\n".join(line.strip() for line in lines if line.strip())
