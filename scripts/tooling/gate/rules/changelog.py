"""Changelog rules: user-visible changes have an entry, and all files name one version."""

import re
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

CHANGELOG = "CHANGELOG.md"
VERSION = "shared/version.py"
_BEGINNING = 40  # characters of an entry that no other entry of its release has
# Files with user-visible names, and patterns that find the names.
_NAMES = {
    "s.yaml": re.compile(r"^ +- path: (/\S*)", re.MULTILINE),
    ".env.example": re.compile(r"^(?:# ?)?([A-Z][A-Z0-9_]+)=", re.MULTILINE),
    "shared/errors.py": re.compile(r'^    name = "(\w+)"', re.MULTILINE),
}


def versions_that_disagree(root: Path) -> Iterator[str]:
    version = version_of(root)
    packaged = _only(r'version = "([^"]+)"', root / "pyproject.toml")
    latest = _only(r"## (\S+)", root / CHANGELOG)
    if packaged != version:
        yield f"pyproject.toml: says {packaged}, {VERSION} says {version}"
    if latest != version:
        yield f"{CHANGELOG}: begins with {latest}, {VERSION} says {version}"


def version_of(root: Path) -> str:
    return _only(r'VERSION = "([^"]+)"', root / VERSION)


def schemas_that_disagree(root: Path) -> Iterator[str]:
    """Report a SCHEMA_VERSION that is not the last migration."""
    last = max(path.name for path in (root / "scripts/migrations").glob("*.sql"))
    expected = _only(r"SCHEMA_VERSION = (\d+)", root / VERSION)
    if expected != str(int(last[:4])):
        yield f"{VERSION}: SCHEMA_VERSION is {expected}, the last migration is {last}"


def _only(pattern: str, file: Path) -> str:
    found = re.search(f"^{pattern}", file.read_text("utf-8"), re.MULTILINE)
    return found[1] if found else "nothing"


def empty_releases(root: Path) -> Iterator[str]:
    for heading, entries in _releases(root):
        if not entries:
            yield f"{CHANGELOG}: {heading} has no entry"


def repeated_entries(root: Path) -> Iterator[str]:
    """Report entries of a release that begin alike, as merges leave them."""
    for heading, entries in _releases(root):
        for beginning, count in Counter(one[:_BEGINNING] for one in entries).items():
            if count > 1:
                yield f"{CHANGELOG}: {heading} says {count} times: {beginning}..."


def _releases(root: Path) -> Iterator[tuple[str, list[str]]]:
    """Each heading with the first lines of its entries."""
    text = (root / CHANGELOG).read_text("utf-8")
    for heading, body in re.findall(r"^## (\S+)\n(.*?)(?=^## |\Z)", text, re.M | re.S):
        yield heading, re.findall(r"^- (\S.*)", body, re.M)


def names_without_an_entry(root: Path) -> Iterator[str]:
    """Report routes, settings and error names that changed since the last changelog entry.

    Without a git history there is nothing to compare with.
    """
    last = _git(root, "log", "-1", "--format=%H", "--", CHANGELOG).strip()
    added = re.findall(r"^\+- ", _git(root, "diff", "HEAD", "--", CHANGELOG), re.MULTILINE)
    if not last or added:
        return
    for file, pattern in _NAMES.items():
        before = set(pattern.findall(_git(root, "show", f"{last}:{file}")))
        after = set(pattern.findall((root / file).read_text("utf-8")))
        for name in sorted(after - before):
            yield f"{CHANGELOG}: has no entry since {name} came into {file}"
        for name in sorted(before - after):
            yield f"{CHANGELOG}: has no entry since {name} went from {file}"


def _git(root: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(root), *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    return done.stdout if done.returncode == 0 else ""


CHECKS = (
    versions_that_disagree,
    schemas_that_disagree,
    empty_releases,
    repeated_entries,
    names_without_an_entry,
)
