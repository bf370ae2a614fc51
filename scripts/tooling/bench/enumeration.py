"""`scripts/bench enumeration`: whether response times reveal which accounts exist.

Measures the real functions on MariaDB, each in a process of its own as the local gateway
runs them. An AUC of 0.5 means that times reveal nothing, 0 or 1 that they reveal everything.
"""

import argparse
import asyncio
import json
import random
import secrets
import statistics
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from scripts.tooling.bench.product import database
from scripts.tooling.environment import ROOT
from scripts.tooling.local.gateway.builtin import Instance
from scripts.tooling.local.gateway.events import Call, context_of, to_event
from scripts.tooling.manifest.s_yaml import Function, load
from shared import config, settings

_BAND = (0.35, 0.65)
_PASSWORD = "correct horse battery"  # noqa: S105  # of made-up users
_WARM_UP = 5


@dataclass
class RequestKind:
    """One of two kinds of requests whose response times must not differ."""

    name: str
    email: Callable[[int], str]
    status: int
    times_ms: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Comparison:
    """Two kinds of requests to one function, which an attacker would like to tell apart."""

    function: str
    password: str
    one: RequestKind
    other: RequestKind

    @property
    def auc(self) -> float:
        """The probability that a time of `one` is above a time of `other`."""
        pairs = [(a, b) for a in self.one.times_ms for b in self.other.times_ms]
        return sum((a > b) + (a == b) / 2 for a, b in pairs) / len(pairs)

    @property
    def is_distinguishable(self) -> bool:
        return not _BAND[0] <= self.auc <= _BAND[1]


def _comparisons() -> list[Comparison]:
    return [
        Comparison(
            "login",
            "a wrong guess",
            RequestKind("wrong password", _known_email, 401),
            RequestKind("unknown user", _unknown_email, 401),
        ),
        Comparison(
            "register",
            _PASSWORD,
            RequestKind("taken e-mail", _known_email, 409),
            RequestKind("free e-mail", _unknown_email, 201),
        ),
    ]


def _known_email(number: int) -> str:
    return f"person{number:04}@example.com"


def _unknown_email(_: int) -> str:
    return f"p{secrets.token_hex(4)}x@example.com"


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="scripts/bench enumeration", description=__doc__)
    parser.add_argument("--timings", type=int, default=60, help="number of each kind; default 60")
    parser.add_argument("--cost", type=int, default=config.load(settings.Passwords).bcrypt_cost)
    options = parser.parse_args(arguments)
    with database() as variables:
        limits = {variable.names[0]: "0" for variable in config.variables(settings.Limits)}
        given = {**variables, **limits, "BCRYPT_COST": str(options.cost)}
        comparisons = asyncio.run(_measure(given, options.timings))
    print(f"{options.timings} + {options.timings} timings, by turns; bcrypt cost {options.cost}")
    for comparison in comparisons:
        _show(comparison)
    return 1 if any(comparison.is_distinguishable for comparison in comparisons) else 0


async def _measure(variables: dict[str, str], timings: int) -> list[Comparison]:
    comparisons = _comparisons()
    async with _instance("register", variables) as register:
        for number in range(timings):
            await _post(register, _known_email(number), _PASSWORD)
    for comparison in comparisons:
        async with _instance(comparison.function, variables) as function:
            await _compare(function, comparison, timings)
    return comparisons


async def _compare(function: "_Running", comparison: Comparison, timings: int) -> None:
    """Measure both kinds in random order, so that noise affects both alike."""
    for number in range(-_WARM_UP, timings):
        kinds = random.sample([comparison.one, comparison.other], 2)
        for kind in kinds:
            email = kind.email(number % timings)
            started = time.perf_counter()
            status = await _post(function, email, comparison.password)
            elapsed_ms = (time.perf_counter() - started) * 1000
            if status != kind.status:
                raise SystemExit(f"scripts/bench: {kind.name} was answered with {status}")
            if number >= 0:
                kind.times_ms.append(elapsed_ms)


@dataclass(frozen=True)
class _Running:
    function: Function
    instance: Instance


@asynccontextmanager
async def _instance(name: str, variables: dict[str, str]) -> AsyncIterator[_Running]:
    function = load(ROOT / "s.yaml", variables, strict=False).function(name)
    instance = await Instance.start(function, ROOT, _print_errors)
    try:
        yield _Running(function, instance)
    finally:
        await instance.kill()


def _print_errors(line: str) -> None:
    if '"level":"error"' in line.replace(" ", ""):
        print(line, file=sys.stderr)


async def _post(running: _Running, email: str, password: str) -> int:
    path = f"/api/auth/{running.function.name}"
    headers = ((b"content-type", b"application/json"), (b"host", b"localhost:8000"))
    call = Call("POST", path, path, "", "HTTP/1.1", headers, "203.0.113.7")
    event = to_event(call, json.dumps({"email": email, "password": password}).encode())
    context = context_of(running.function, call.request_id)
    answer = json.loads(await running.instance.invoke(event, context))
    return int(answer["statusCode"])


def _show(comparison: Comparison) -> None:
    verdict = "outside" if comparison.is_distinguishable else "within"
    kinds = (
        f"{kind.name} {statistics.median(kind.times_ms):.1f} ms"
        for kind in (comparison.one, comparison.other)
    )
    print(
        f"{comparison.function:9} AUC {comparison.auc:.3f}, {verdict} {_BAND[0]}..{_BAND[1]}:"
        f" {', '.join(kinds)} (medians)"
    )
