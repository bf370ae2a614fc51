"""Benchmarks of the product, one subcommand each."""

import argparse
from collections.abc import Sequence
from importlib import import_module

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
    parser = argparse.ArgumentParser(
        prog="scripts/bench",
        description=__doc__,
        epilog="\n".join(f"{name:12} {text}" for name, text in BENCHMARKS.items()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("benchmark", choices=BENCHMARKS)
    parser.add_argument(
        "options", nargs=argparse.REMAINDER, help="options of the benchmark; -h lists them"
    )
    parsed = parser.parse_args(arguments)
    return int(import_module(f"scripts.tooling.bench.{parsed.benchmark}").main(parsed.options))
