"""Prints each violation of the rules of this project: file, line and problem."""

import sys

from scripts.tooling.environment import ROOT
from scripts.tooling.gate.rules import (
    changelog,
    directions,
    endpoints,
    manifest,
    module_map,
    personal_data,
    settings,
)

MODULES = (directions, endpoints, personal_data, settings, module_map, changelog)


def main() -> int:
    text = (ROOT / "s.yaml").read_text("utf-8")
    problems = [line for check in manifest.CHECKS for line in check(text, ROOT)]
    problems += [line for module in MODULES for check in module.CHECKS for line in check(ROOT)]
    if problems:
        print("\n".join(dict.fromkeys(problems)))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
