"""Rules for .env.example: it lists each variable and alias, and no others."""

import re
from collections.abc import Iterator
from pathlib import Path

from scripts.tooling.gate.rules.settings_source import declared

EXAMPLE = ".env.example"


def variables_not_documented(root: Path) -> Iterator[str]:
    documented, settings = entries(root), declared(root)
    for setting in settings:
        if setting.name not in documented:
            yield f"shared/settings.py:{setting.line}: {EXAMPLE} does not list {setting.name}"
    known = {setting.name for setting in settings} | aliases(root) | documented.keys()
    for name in sorted(read_by_manifest(root) - known):
        yield f"s.yaml: reads {name}, which {EXAMPLE} does not list"


def variables_without_a_reader(root: Path) -> Iterator[str]:
    names = {setting.name for setting in declared(root)}
    known = names | aliases(root) | read_by_manifest(root) | read_by_commands(root)
    for name, line in entries(root).items():
        if name not in known:
            yield f"{EXAMPLE}:{line}: nothing reads {name}"


def aliases_not_named(root: Path) -> Iterator[str]:
    text = (root / EXAMPLE).read_text("utf-8")
    for alias in sorted(aliases(root)):
        if not re.search(rf"\b{alias}\b", text):
            yield f"{EXAMPLE}: does not name the alias {alias}"


def filled_secrets(root: Path) -> Iterator[str]:
    text = (root / EXAMPLE).read_text("utf-8")
    for name in re.findall(r"(?m)^(\w*(?:SECRET|PASSWORD|KEY))=(?=\S)", text):
        yield f"{EXAMPLE}: {name} has a value"


def entries(root: Path) -> dict[str, int]:
    """The names in `NAME=` lines, also in comments, with their line numbers."""
    lines = enumerate((root / EXAMPLE).read_text("utf-8").splitlines(), 1)
    found = ((re.match(r"(?:# ?)?([A-Z][A-Z0-9_]+)=", line), number) for number, line in lines)
    return {match[1]: number for match, number in found if match}


def aliases(root: Path) -> set[str]:
    return {alias for setting in declared(root) for alias in setting.aliases} | {"NODE_ENV"}


def read_by_manifest(root: Path) -> set[str]:
    return set(re.findall(r"env\('(\w+)'", (root / "s.yaml").read_text("utf-8")))


def read_by_commands(root: Path) -> set[str]:
    found = set()
    for file in sorted((root / "scripts").rglob("*")):
        if file.is_file() and "__pycache__" not in file.parts:
            text = file.read_text("utf-8")
            found |= set(re.findall(r"environ(?:\.get\(|\[|\.setdefault\()\"([A-Z_]+)\"", text))
    return found


CHECKS = (
    variables_not_documented,
    variables_without_a_reader,
    aliases_not_named,
    filled_secrets,
)
