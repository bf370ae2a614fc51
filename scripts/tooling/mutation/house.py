"""The file `tests/mutation.yaml`: the tests of each module, and the equivalent mutants."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from scripts.tooling.mutation.mutants import Mutant

FILE = "tests/mutation.yaml"


class NotListed(Exception):
    """A path has no tests, or something that the file lists is there no more."""


@dataclass(frozen=True)
class House:
    """The tests of each module, and why a mutant is equivalent.

    An equivalent mutant is known by its module, its function and the changed text, not
    by its line.
    """

    tests: Mapping[str, tuple[str, ...]]
    equivalent: Mapping[tuple[str, str, str, str], str]

    def reason(self, mutant: Mutant) -> str | None:
        return self.equivalent.get(_key(vars(mutant)))

    def modules(self, paths: Sequence[str]) -> list[str]:
        """The modules at these paths, or all. Raises: NotListed."""
        chosen = {path: [name for name in self.tests if _is_below(name, path)] for path in paths}
        for path, found in chosen.items():
            if not found:
                raise NotListed(f"{FILE} names no tests for {path}")
        return [name for name in self.tests if not paths or any(name in x for x in chosen.values())]

    def check(self, module: str, mutants: Iterable[Mutant]) -> None:
        """Raises: NotListed, where the module has no such mutant as an equivalent one."""
        keys = {_key(vars(mutant)) for mutant in mutants}
        for key in self.equivalent:
            if key[0] == module and key not in keys:
                raise NotListed(f"{FILE}: {key[0]} has no such mutant in {key[1]}: {key[3]}")


def read_house(root: Path) -> House:
    """Raises: NotListed, where a file of tests is missing."""
    content = yaml.safe_load((root / FILE).read_text("utf-8"))
    for file in sorted({file for tests in content["tests"].values() for file in tests}):
        if not (root / file.partition("::")[0]).exists():
            raise NotListed(f"{FILE} names tests that are missing: {file}")
    equivalent = {_key(one): str(one["reason"]) for one in content.get("equivalent") or ()}
    return House({module: tuple(tests) for module, tests in content["tests"].items()}, equivalent)


def _key(one: Mapping[str, Any]) -> tuple[str, str, str, str]:
    before, after = (" ".join(str(one[name]).split()) for name in ("before", "after"))
    return one["module"], one["function"], before, after


def _is_below(module: str, path: str) -> bool:
    clean = path.rstrip("/")
    return module == clean or module.startswith(f"{clean}/")
