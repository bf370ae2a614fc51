"""Prints each violation of the rules of this project: file, line and problem."""

import sys
from collections.abc import Callable, Iterable
from functools import partial

from scripts.tooling.environment import ROOT
from scripts.tooling.gate.rules import (
    changelog,
    directions,
    endpoints,
    locks,
    manifest,
    module_map,
    personal_data,
    settings,
)
from scripts.tooling.manifest.s_yaml import ManifestError

MODULES = (directions, endpoints, personal_data, settings, module_map, changelog, locks)


def main() -> int:
    text = (ROOT / "s.yaml").read_text("utf-8")
    checks: list[Callable[[], Iterable[str]]] = [
        *(partial(check, text, ROOT) for check in manifest.CHECKS),
        *(partial(check, ROOT) for module in MODULES for check in module.CHECKS),
    ]
    problems = [line for check in checks for line in found_by(check)]
    if problems:
        print("\n".join(dict.fromkeys(problems)))
    return 1 if problems else 0


def found_by(check: Callable[[], Iterable[str]]) -> list[str]:
    """The findings of one rule. A manifest that cannot be read must not silence the others."""
    try:
        return list(check())
    except ManifestError as problem:
        return [str(problem)]


if __name__ == "__main__":
    sys.exit(main())
