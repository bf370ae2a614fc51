"""`scripts/bench enumeration`: does time tell who has an account?

The real functions, each in a process of its own as the local gateway runs them,
on MariaDB. An AUC of 0.5 means that a timing tells nothing, 0 or 1 that it tells all.
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
_PASSWORD = "correct horse battery"  # noqa: S105  # of people made up here
_WARM_UP = 5


@dataclass
class Kind:
    """One of two requests that must look alike: who is asked for, and what is answered."""

    name: str
    email: Callable[[int], str]
    status: int
    times_ms: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Question:
    """What somebody who measures would like to know."""

    function: str
    password: str
    one: Kind
    other: Kind

    @property
    def auc(self) -> float:
        """How often a timing of the one is above a timing of the other."""
        pairs = [(a, b) for a in self.one.times_ms for b in self.other.times_ms]
        return sum((a > b) + (a == b) / 2 for a, b in pairs) / len(pairs)

    @property
    def is_answered(self) -> bool:
        return not _BAND[0] <= self.auc <= _BAND[1]


def _questions() -> list[Question]:
    return [
        Question(
            "login",
            "a wrong guess",
            Kind("wrong password", _somebody, 401),
            Kind("unknown user", _nobody, 401),
        ),
        Question(
            "register",
            _PASSWORD,
            Kind("taken e-mail", _somebody, 409),
            Kind("free e-mail", _nobody, 201),
        ),
    ]


def _somebody(number: int) -> str:
    return f"person{number:04}@example.com"


def _nobody(_: int) -> str:
    return f"p{secrets.token_hex(4)}x@example.com"


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="scripts/bench enumeration", description=__doc__)
    parser.add_argument("--timings", type=int, default=60, help="of each kind; default 60")
    parser.add_argument("--cost", type=int, default=config.load(settings.Passwords).bcrypt_cost)
    options = parser.parse_args(arguments)
    with database() as variables:
        limits = {variable.names[0]: "0" for variable in config.variables(settings.Limits)}
        given = {**variables, **limits, "BCRYPT_COST": str(options.cost)}
        questions = asyncio.run(_measured(given, options.timings))
    print(f"{options.timings} + {options.timings} timings, by turns; bcrypt cost {options.cost}")
    for question in questions:
        _show(question)
    return 1 if any(question.is_answered for question in questions) else 0


async def _measured(variables: dict[str, str], timings: int) -> list[Question]:
    questions = _questions()
    async with _instance("register", variables) as register:
        for number in range(timings):
            await _ask(register, _somebody(number), _PASSWORD)
    for question in questions:
        async with _instance(question.function, variables) as function:
            await _compare(function, question, timings)
    return questions


async def _compare(function: "_Running", question: Question, timings: int) -> None:
    """Which of the two comes first is a matter of chance, and both meet the same noise."""
    for number in range(-_WARM_UP, timings):
        kinds = random.sample([question.one, question.other], 2)
        for kind in kinds:
            email = kind.email(number % timings)
            started = time.perf_counter()
            status = await _ask(function, email, question.password)
            passed_ms = (time.perf_counter() - started) * 1000
            if status != kind.status:
                raise SystemExit(f"scripts/bench: {kind.name} was answered with {status}")
            if number >= 0:
                kind.times_ms.append(passed_ms)


@dataclass(frozen=True)
class _Running:
    function: Function
    instance: Instance


@asynccontextmanager
async def _instance(name: str, variables: dict[str, str]) -> AsyncIterator[_Running]:
    function = load(ROOT / "s.yaml", variables, strict=False).function(name)
    instance = await Instance.start(function, ROOT, _hear)
    try:
        yield _Running(function, instance)
    finally:
        await instance.kill()


def _hear(line: str) -> None:
    if '"level":"error"' in line.replace(" ", ""):
        print(line, file=sys.stderr)


async def _ask(running: _Running, email: str, password: str) -> int:
    path = f"/api/auth/{running.function.name}"
    headers = ((b"content-type", b"application/json"), (b"host", b"localhost:8000"))
    call = Call("POST", path, path, "", "HTTP/1.1", headers, "203.0.113.7")
    event = to_event(call, json.dumps({"email": email, "password": password}).encode())
    context = context_of(running.function, call.request_id)
    answer = json.loads(await running.instance.invoke(event, context))
    return int(answer["statusCode"])


def _show(question: Question) -> None:
    verdict = "outside" if question.is_answered else "within"
    kinds = (
        f"{kind.name} {statistics.median(kind.times_ms):.1f} ms"
        for kind in (question.one, question.other)
    )
    print(
        f"{question.function:9} AUC {question.auc:.3f}, {verdict} {_BAND[0]}..{_BAND[1]}:"
        f" {', '.join(kinds)} (medians)"
    )
