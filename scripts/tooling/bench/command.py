"""Benchmarks of the product, one subcommand each."""

from collections.abc import Sequence

from scripts.tooling import subcommands

BENCHMARKS = {
    "stream": "the latency that the product adds to a model of a fixed rate",
    "whole": "whole answers in a second, compared with a bare relay",
    "trips": "the statements and round trips to the database for one chat message",
    "size": "the size of the database after many chats, table by table",
    "limits": "the time of a rate limit check, compared with SELECT 1",
    "export": "a large export by the worker, compared with a script of fetchall and csv",
    "enumeration": "whether response times reveal which accounts exist",
}


def main(arguments: Sequence[str]) -> int:
    return subcommands.run(
        "scripts/bench",
        "Benchmarks of the product.",
        "scripts.tooling.bench",
        BENCHMARKS,
        arguments,
    )
