"""Proofs of promises under real faults: `scripts/prove database-restarts`."""

from collections.abc import Sequence

from scripts.tooling import subcommands

PROOFS = {
    "database-restarts": "answers are whole and charged once, whenever the database is killed",
}


def main(arguments: Sequence[str]) -> int:
    description = "Proofs of promises under real faults."
    return subcommands.run(
        "scripts/prove", description, "scripts.tooling.proofs", PROOFS, arguments
    )
