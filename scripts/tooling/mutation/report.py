"""The table of a run: how many mutants of each module the tests caught."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from scripts.tooling.mutation.mutants import Mutant

Outcome = Literal["caught", "timeout", "equivalent", "survived"]


@dataclass(frozen=True)
class Result:
    mutant: Mutant
    outcome: Outcome


def table(results: Sequence[Result]) -> Iterator[str]:
    width = max([5, *(len(result.mutant.module) for result in results)])
    yield f"{'module':{width}} mutants caught timeouts equivalent survived percent"
    by_module: dict[str, Counter[str]] = {}
    for result in results:
        by_module.setdefault(result.mutant.module, Counter())[result.outcome] += 1
    for module in sorted(by_module):
        yield f"{module:{width}} {_row(by_module[module])}"
    yield f"{'total':{width}} {_row(sum(by_module.values(), Counter()))}"


def _row(counts: Mapping[str, int]) -> str:
    """Equivalent mutants count as caught: no test could notice them."""
    total, survived = sum(counts.values()), counts.get("survived", 0)
    percent = 100 * (total - survived) / total if total else 100
    caught, timeouts = counts.get("caught", 0), counts.get("timeout", 0)
    equivalent = counts.get("equivalent", 0)
    return (
        f"{total:7} {caught:6} {timeouts:8} {equivalent:10} {survived:8} {_floor(percent):>6.1f}%"
    )


def _floor(percent: float) -> float:
    """Rounded down, so that 100.0 means all."""
    return int(percent * 10) / 10


def described(mutant: Mutant) -> str:
    return f"{mutant.module}:{mutant.line} {mutant.function}\n{mutant.diff()}"
