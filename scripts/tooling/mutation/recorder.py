"""Records which test runs which statement. A worker copies this file into its copy of the tree.

It is a plugin of pytest there, and each instrumented module imports it, in any process: the
number of the running test stands in a file that all processes map into their memory.
"""

import json
import mmap
import os
from collections.abc import Generator
from pathlib import Path

import pytest

_NO_TEST = 0
_current_file = os.open(Path(__file__).with_name("mutation_current"), os.O_RDWR)
_current = mmap.mmap(_current_file, 8)
_records = os.open(Path(__file__).with_name("mutation_records"), os.O_WRONLY | os.O_APPEND)
_seen = set[tuple[int, str, int]]()


def ran(module: str, line: int) -> None:
    """Record that the running test runs the statement at this line, once per test."""
    number = _number()
    if (number, module, line) not in _seen:
        _seen.add((number, module, line))
        _record("ran", number, module, line)


def pytest_runtest_logstart(nodeid: str) -> None:
    global _tests
    _tests += 1
    _set_number(_tests)
    _record("test", _tests, nodeid)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    _record("seconds", _tests, report.duration)


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(
    fixturedef: "pytest.FixtureDef[object]",
) -> Generator[None, object, object]:
    """A fixture of several tests runs for all of them, although the first one prepares it."""
    number = _number()
    if fixturedef.scope != "function":
        _set_number(_NO_TEST)
    try:
        return (yield)
    finally:
        _set_number(number)


_tests = 0


def _number() -> int:
    return int.from_bytes(_current[:8], "little")


def _set_number(number: int) -> None:
    _current[:8] = number.to_bytes(8, "little")


def _record(*record: object) -> None:
    os.write(_records, json.dumps(record).encode() + b"\n")
