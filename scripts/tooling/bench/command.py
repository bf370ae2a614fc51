"""Measure what the product costs, or gives away: `scripts/bench stream`, and others."""

import argparse
from collections.abc import Sequence
from importlib import import_module

MEASUREMENTS = {
    "stream": "what the product adds to a model, against a bundled one of a fixed rate",
    "limits": "what a check of a rate limit costs, against a bare SELECT 1",
    "export": "a large export by the worker, against a script of fetchall and csv",
    "enumeration": "whether time tells who has an account",
}


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="scripts/bench",
        description=__doc__,
        epilog="\n".join(f"{name:12} {what}" for name, what in MEASUREMENTS.items()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("what", choices=MEASUREMENTS)
    parser.add_argument("options", nargs=argparse.REMAINDER, help="its own; -h lists them")
    given = parser.parse_args(arguments)
    return int(import_module(f"scripts.tooling.bench.{given.what}").main(given.options))
