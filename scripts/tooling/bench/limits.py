"""`scripts/bench limits`: the time that a rate limit check adds to a request, on MariaDB."""

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from scripts.tooling.bench.product import database
from shared.config import Rate
from shared.database import transactions
from shared.database.connection import Connection
from shared.errors import TooManyRequests
from shared.ids import new_id
from shared.limits import rate_limits
from shared.limits.rate_limits import Count

_KNOWN, _FULL = new_id(), new_id()
_PLENTY, _ONE = Rate(1_000_000, 900), Rate(1, 900)


@dataclass
class Case:
    """An operation repeated on one connection. `target` is its required number of statements."""

    name: str
    run: Callable[[], None]
    target: int | None = None
    times_ms: list[float] = field(default_factory=list)
    statements: float = 0

    def once(self) -> None:
        started = time.perf_counter()
        self.run()
        self.times_ms.append((time.perf_counter() - started) * 1000)


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="scripts/bench limits", description=__doc__)
    parser.add_argument("--rounds", type=int, default=2000, help="runs of each case")
    rounds = parser.parse_args(arguments).rounds
    with database():
        cases = _cases()
        for case in cases:
            case.once()  # connects, and creates the known row
            case.statements = _statements_of(case)
        for case in cases:
            case.times_ms.clear()
        for _ in range(rounds):
            for case in cases:
                case.once()
    _show(cases)
    missed = [case.name for case in cases if case.target and case.statements != case.target]
    for name in missed:
        print(f"missed: {name} must take one round trip")
    return 1 if missed else 0


def _cases() -> list[Case]:
    return [
        Case("SELECT 1, to compare", lambda: _select()),
        Case("known, has room", lambda: rate_limits.take(Count("chat", _KNOWN, _PLENTY)), target=1),
        Case("known, at the limit", lambda: _take_refused(Count("chat", _FULL, _ONE))),
        Case("the first", lambda: rate_limits.take(Count("chat", new_id(), _PLENTY)), target=1),
    ]


def _select() -> None:
    transactions.read(lambda connection: connection.find(dict, "SELECT 1 AS one"))


def _take_refused(count: Count) -> None:
    try:
        rate_limits.take(count)
    except TooManyRequests:
        return


def _statements_of(case: Case) -> float:
    """The number of statements of one run, as the server counts them."""
    before = transactions.read(_statement_count)
    case.run()
    return transactions.read(_statement_count) - before - 1  # the second reading is a statement too


def _statement_count(connection: Connection) -> int:
    count = connection.find(
        lambda Variable_name, Value: int(Value),  # names of the server's columns
        "SHOW SESSION STATUS LIKE 'Questions'",
    )
    return count or 0


def _show(cases: Sequence[Case]) -> None:
    bare = statistics.median(cases[0].times_ms)
    print(f"{'':22}{'statements':>12}{'median ms':>12}{'p99 ms':>9}{'ratio':>8}")
    for case in cases:
        median = statistics.median(case.times_ms)
        p99 = statistics.quantiles(case.times_ms, n=100)[98]
        print(
            f"{case.name:22}{case.statements:>12g}{median:>12.3f}{p99:>9.3f}{median / bare:>8.2f}"
        )
