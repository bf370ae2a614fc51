"""Rules for scripts/locks: they have every pin of the requirements, and hashes of every package."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

from scripts.tooling.setup.bootstrap import EVERYTHING, SERVING

_PIN = re.compile(r"^([\w.-]+)==([^\s;]+)", re.MULTILINE)


def stale_locks(root: Path) -> Iterator[str]:
    """Pins with another version than the lock has, or that it has not at all."""
    for name in (EVERYTHING, SERVING):
        locked = dict(_PIN.findall(_read(root / "scripts" / "locks" / name)))
        pins = _pins(root, name)
        for package, version in pins.items():
            found = locked.get(package.lower())
            is_used = found is not None or name == EVERYTHING
            if is_used and found != version:
                yield f"scripts/locks/{name}: {package}=={version} is missing; run scripts/lock"


def packages_without_hashes(root: Path) -> Iterator[str]:
    for path in sorted((root / "scripts" / "locks").glob("*.txt")):
        for entry in re.split(r"\n(?=\S)", _read(path)):
            if "--hash=sha256:" not in entry:
                yield f"scripts/locks/{path.name}: {entry.strip()} has no hash; run scripts/lock"


def _pins(root: Path, name: str) -> dict[str, str]:
    """The pins of a file of requirements, and of those that it names with -r or -c."""
    text = _read(root / name)
    included = re.findall(r"^-[rc] (\S+)", text, re.MULTILINE)
    pins = {package: version for file in included for package, version in _pins(root, file).items()}
    return {**pins, **dict(_PIN.findall(text))}


def _read(path: Path) -> str:
    return path.read_text("utf-8")


CHECKS: tuple[Callable[[Path], Iterator[str]], ...] = (stale_locks, packages_without_hashes)
