"""Mutation testing: changes modules one mistake at a time and runs their tests on each.

A mutant that no test notices survives, and shows what the tests do not hold. Everything
runs on copies of the tree, each with a private database server. `tests/mutation.yaml` names the
tests of each module, and the mutants that are equivalent to the original, with the reason.
"""

import argparse
import random
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from itertools import chain, islice, zip_longest
from pathlib import Path
from queue import Queue
from typing import Protocol, TypeVar

from scripts.tooling.environment import ROOT
from scripts.tooling.mutation.coverage import Coverage
from scripts.tooling.mutation.ending import Ended, ended_by_signals
from scripts.tooling.mutation.house import House, NotListed, read_house
from scripts.tooling.mutation.mutants import Mutant, mutants_of
from scripts.tooling.mutation.report import Outcome, Result, described, table
from scripts.tooling.mutation.worker import TestsFail, Worker, working

Item = TypeVar("Item")
Done = TypeVar("Done")


class Crew(Protocol):
    def __call__(
        self, task: Callable[[Worker, Item], Done], items: Sequence[Item], /
    ) -> Iterator[Done]: ...


def main(arguments: Sequence[str]) -> int:
    """Return 0 if no mutant survives, 1 if one does, 2 if the tests cannot judge.

    SIGINT and SIGTERM end the run cleanly, with the table of the mutants judged so far.
    """
    options = _options(arguments)
    root: Path = options.root
    try:
        house = read_house(root)
        mutants = _chosen(root, house, options)
        if options.list:
            print("\n".join(described(mutant) for mutant in mutants))
            return 0
        return _run(root, house, mutants, options)
    except (NotListed, TestsFail) as error:
        print(error, file=sys.stderr)
        return 2


def _run(root: Path, house: House, mutants: Sequence[Mutant], options: argparse.Namespace) -> int:
    results, stopped = list[Result](), 0
    try:
        with ended_by_signals(), _crew(root, options.workers, options.grace) as crew:
            for result in _judge(root, crew, house, mutants):
                results.append(result)
    except Ended as error:
        stopped = 128 + error.number
    print("\n".join(table(results)))
    return stopped or int(any(result.outcome == "survived" for result in results))


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/mutate",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "paths", nargs="*", help="modules or folders in tests/mutation.yaml; default all"
    )
    parser.add_argument("--sample", type=int, help="judge only so many, spread over the modules")
    parser.add_argument("--seed", type=int, default=1, help="of the sample (default: 1)")
    parser.add_argument("--list", action="store_true", help="print the mutants and run nothing")
    parser.add_argument("--workers", type=int, default=1, help="copies of the tree (default: 1)")
    parser.add_argument(
        "--grace",
        type=float,
        default=30.0,
        help="seconds that tests may take on a mutant beyond four times as long as without one",
    )
    parser.add_argument("--root", type=Path, default=ROOT, help="another tree to change a copy of")
    return parser.parse_args(arguments)


def _chosen(root: Path, house: House, options: argparse.Namespace) -> list[Mutant]:
    """All mutants of the modules, or a sample: the next one of each module in turn."""
    by_module = {module: mutants_of(root, module) for module in house.modules(options.paths)}
    for module, mutants in by_module.items():
        house.check(module, mutants)
    if options.sample is None:
        return list(chain.from_iterable(by_module.values()))
    for module, mutants in by_module.items():
        random.Random(f"{options.seed}:{module}").shuffle(mutants)  # noqa: S311  # no secret
    in_turn = chain.from_iterable(zip_longest(*by_module.values()))
    sample = islice((mutant for mutant in in_turn if mutant), options.sample)
    return sorted(sample, key=lambda mutant: (mutant.module, mutant.line))


def _judge(root: Path, crew: Crew, house: House, mutants: Sequence[Mutant]) -> Iterator[Result]:
    """Judge the mutants, and print each survivor when it is found. Raises: TestsFail."""
    tried = [mutant for mutant in mutants if house.reason(mutant) is None]
    modules = sorted({mutant.module for mutant in tried})
    files = sorted({file for module in modules for file in house.tests[module]})
    measured = crew(lambda worker, files: worker.measure(modules, files), [files] if files else [])
    coverage = next(measured, Coverage({}, {}, 0.0, {}))

    def outcome(worker: Worker, mutant: Mutant) -> Outcome:
        if house.reason(mutant) is not None:
            return "equivalent"
        tests = coverage.tests_of(root, mutant, house.tests[mutant.module])
        names = [coverage.names[number] for number in tests]
        return worker.judge(mutant, names, coverage.seconds_of(tests))

    return _printed(map(Result, mutants, crew(outcome, mutants)), len(mutants))


@contextmanager
def _crew(root: Path, count: int, grace_seconds: float) -> Iterator[Crew]:
    """A function that maps over items like `map`, with a free worker as the first argument."""
    with ExitStack() as stack, ThreadPoolExecutor(count) as threads:
        workers = [stack.enter_context(working(root, grace_seconds)) for _ in range(count)]
        free: Queue[Worker] = Queue()
        for worker in workers:
            free.put(worker)

        def crew(task: Callable[[Worker, Item], Done], items: Sequence[Item]) -> Iterator[Done]:
            def run(item: Item) -> Done:
                worker = free.get()
                try:
                    return task(worker, item)
                finally:
                    free.put(worker)

            return threads.map(run, items)

        try:
            yield crew
        except BaseException:
            for worker in workers:
                worker.stop()
            threads.shutdown(cancel_futures=True)
            raise


def _printed(results: Iterator[Result], count: int) -> Iterator[Result]:
    for number, result in enumerate(results, start=1):
        mutant, outcome = result.mutant, result.outcome
        where = f"{mutant.module}:{mutant.line} {mutant.function}"
        print(f"{number}/{count} {outcome} {where}", file=sys.stderr, flush=True)
        if outcome == "survived":
            print(described(mutant), flush=True)
        yield result
