"""What the product reads from the environment, taken from its source without running it."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from scripts.tooling.build.imports import reached_from

SETTINGS = Path("shared/settings.py")


@dataclass(frozen=True)
class Setting:
    """One `env(...)` of one section: the canonical name, the aliases, and where it stands."""

    section: str
    name: str
    aliases: tuple[str, ...]
    line: int


@dataclass(frozen=True)
class Reading:
    """A section that some module loads, and where it does."""

    section: str
    at: str


def declared(root: Path) -> tuple[Setting, ...]:
    tree = ast.parse((root / SETTINGS).read_text(encoding="utf-8"))
    return tuple(
        setting
        for section in ast.walk(tree)
        if isinstance(section, ast.ClassDef)
        for setting in _of_section(section)
    )


def _of_section(section: ast.ClassDef) -> Iterator[Setting]:
    for node in section.body:
        call = node.value if isinstance(node, ast.AnnAssign) else None
        if isinstance(call, ast.Call) and ast.unparse(call.func) == "env":
            name, *aliases = [a.value for a in call.args if isinstance(a, ast.Constant)]
            yield Setting(section.name, str(name), tuple(map(str, aliases)), node.lineno)


def loaded_by(function: str, root: Path) -> dict[str, Reading]:
    """The sections a function's modules load, each with the first place that does."""
    sections = {setting.section for setting in declared(root)}
    found: dict[str, Reading] = {}
    for file in reached_from(f"functions.{function}.index", root).files:
        for section, line in _loads(file, sections):
            at = f"{file.relative_to(root).as_posix()}:{line}"
            found.setdefault(section, Reading(section, at))
    return found


def _loads(file: Path, sections: set[str]) -> Iterator[tuple[str, int]]:
    """Find `load(settings.Http)` and `load(Http)`."""
    for node in ast.walk(ast.parse(file.read_bytes())):
        if isinstance(node, ast.Call) and node.args and _last(node.func) == "load":
            section = _last(node.args[0])
            if section in sections:
                yield section, node.lineno


def _last(node: ast.expr) -> str:
    return ast.unparse(node).rpartition(".")[2]
