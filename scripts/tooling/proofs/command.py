"""Proofs of promises under real faults: `scripts/prove database-restarts`."""

import argparse
from collections.abc import Sequence
from importlib import import_module

PROOFS = {
    "database-restarts": "answers are whole and charged once, whenever the database is killed",
}


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="scripts/prove",
        description=__doc__,
        epilog="\n".join(f"{name:18} {text}" for name, text in PROOFS.items()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("proof", choices=PROOFS)
    parser.add_argument(
        "options", nargs=argparse.REMAINDER, help="options of the proof; -h lists them"
    )
    parsed = parser.parse_args(arguments)
    module = f"scripts.tooling.proofs.{parsed.proof.replace('-', '_')}"
    return int(import_module(module).main(parsed.options))
