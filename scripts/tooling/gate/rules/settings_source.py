"""Settings of the product, read from its source without running it."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from scripts.tooling.build.imports import reached_from

SETTINGS = Path("shared/settings.py")


@dataclass(frozen=True)
class Setting:
    """One `env(...)` of a section: the canonical name, the aliases and the line."""

    section: str
    name: str
    aliases: tuple[str, ...]
    line: int


@dataclass(frozen=True)
class Reading:
    """A section that a module loads, with the file and line."""

    section: str
    at: str


def declared(root: Path) -> tuple[Setting, ...]:
    return _declared((root / SETTINGS).read_bytes())


@lru_cache(maxsize=20)
def _declared(source: bytes) -> tuple[Setting, ...]:
    return tuple(
        setting
        for section in ast.walk(ast.parse(source))
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
    """The sections that a function's modules load, each with the first such line."""
    sections = {setting.section for setting in declared(root)}
    found: dict[str, Reading] = {}
    for file in reached_from(f"functions.{function}.index", root).files:
        for section, line in _loads(file.read_bytes()):
            if section not in sections:
                continue
            at = f"{file.relative_to(root).as_posix()}:{line}"
            found.setdefault(section, Reading(section, at))
    return found


@lru_cache(maxsize=2000)
def _loads(source: bytes) -> tuple[tuple[str, int], ...]:
    """The calls `load(settings.Http)` and `load(Http)`, cached: functions share most files."""
    return tuple(
        (_last(node.args[0]), node.lineno)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call) and node.args and _last(node.func) == "load"
    )


def _last(node: ast.expr) -> str:
    return ast.unparse(node).rpartition(".")[2]
