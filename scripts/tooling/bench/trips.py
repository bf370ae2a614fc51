"""`scripts/bench trips`: the statements and round trips to the database for one chat message.

Counts them on the wire between the real chat function and a private MariaDB, and measures
concurrent chats while the database is some milliseconds away.
"""

import argparse
import asyncio
import os
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass

import httpx

from scripts.tooling.bench.model import FEW_TOKENS
from scripts.tooling.bench.product import database, sign_up
from scripts.tooling.bench.servers import Server, chat, model
from scripts.tooling.bench.wire import Wire, recorded, shortened, statements
from shared import settings
from shared.accounts import tokens
from shared.database.connection import Connection
from shared.database.transactions import transaction
from shared.ids import new_id
from shared.repos import daily_messages, wallets
from shared.times import now_ms, shanghai_day

_CHATS = 8
_AWAY_MS = "5,20,60,150"
_RUNS = 3  # the smallest count is shown: a draft may be saved, or the models read, meanwhile
_FREE_MESSAGES = 1000  # as scripts.tooling.bench.servers configures
_LEGEND = """
first word  from the request until the model is asked
last word   from the end of the model's answer until the end of ours
trips       commands that the database was sent, each of which was waited for
"""


@dataclass(frozen=True)
class Kind:
    """A kind of message: its API, its payment, and whether it is streamed or has a key."""

    name: str
    path: str = "/api/chat"
    is_paid: bool = False
    is_streamed: bool = False
    has_key: bool = False


_KINDS = [
    Kind("free, streamed", is_streamed=True),
    Kind("free, whole"),
    Kind("paid, streamed", is_paid=True, is_streamed=True),
    Kind("paid, whole", is_paid=True),
    Kind("paid, whole, with a key", is_paid=True, has_key=True),
    Kind("free, /v1", path="/v1/chat/completions"),
    Kind("paid, /v1", path="/v1/chat/completions", is_paid=True),
]


@dataclass(frozen=True)
class Counts:
    """Statements and round trips of one message, before the model is asked and afterwards."""

    first: Sequence[str]
    last: Sequence[str]

    @classmethod
    def of(cls, trips: Sequence[str]) -> "Counts":
        """The opening transaction ends with the first COMMIT, and then the model is asked."""
        own = [trip for trip in trips if "FROM models" not in trip and "FROM upstreams" not in trip]
        end = next(number for number, trip in enumerate(own, start=1) if "COMMIT" in trip)
        return cls(own[:end], own[end:])

    @property
    def statements(self) -> int:
        return sum(len(statements(trip)) for trip in (*self.first, *self.last))


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="scripts/bench trips", description=__doc__)
    parser.add_argument("--away", default=_AWAY_MS, help=f"milliseconds; default {_AWAY_MS}")
    parser.add_argument("--show", action="store_true", help="print the statements")
    options = parser.parse_args(arguments)
    distances = [int(text) for text in options.away.split(",")]
    asyncio.run(_measure(distances, show=options.show))
    return 0


async def _measure(distances: Sequence[int], *, show: bool) -> None:
    with database() as variables:
        target = settings.database_url(variables["DATABASE_URL"])
        with recorded(target.host, target.port) as wire:
            url = variables["DATABASE_URL"].replace(f":{target.port}/", f":{wire.port}/")
            through = {**variables, "DATABASE_URL": f"{url}?ssl-mode=disabled"}
            async with (
                model("--at-once") as model_url,
                chat(through, model_url, min(_cores())) as function,
                _client(function) as client,
            ):
                await _count_kinds(client, wire, show=show)
                await _time_chats(client, wire, distances)


def _cores() -> set[int]:
    return os.sched_getaffinity(0)


def _client(function: Server) -> httpx.AsyncClient:
    limits = httpx.Limits(max_connections=None)
    base = f"http://127.0.0.1:{function.port}"
    return httpx.AsyncClient(base_url=base, limits=limits, timeout=120)


async def _count_kinds(client: httpx.AsyncClient, wire: Wire, *, show: bool) -> None:
    await _ask(client, Kind("warm-up"), _person(is_paid=False))
    print(f"{'':34}{'statements':>11}{'trips:':>8}{'first word':>11}{'last word':>10}")
    for kind in _KINDS:
        person, conversation_id = _person(is_paid=kind.is_paid), None
        await _ask(client, kind, person)  # opens the windows of the limits
        for place in ("first", "second"):
            runs = [await _count(client, wire, kind, person, conversation_id) for _ in range(_RUNS)]
            counts, conversation_id = min(runs, key=lambda run: run[0].statements)
            trips = len(counts.first), len(counts.last)
            print(
                f"{kind.name + ', ' + place:34}{counts.statements:>11}{sum(trips):>8}"
                f"{trips[0]:>11}{trips[1]:>10}"
            )
            if show:
                _show(counts)
    print(_LEGEND)


async def _count(
    client: httpx.AsyncClient, wire: Wire, kind: Kind, person: str, conversation_id: str | None
) -> tuple[Counts, str | None]:
    """Send a message; return its counts, and the conversation that it is in."""
    start = len(wire.trips)
    answer = await _ask(client, kind, person, conversation_id)
    if not _is_whole(answer):
        raise SystemExit(f"not the whole answer: {answer.status_code} {answer.text[-500:]}")
    found = re.search(r'"conversation_id": ?"(\w+)"', answer.text)
    return Counts.of(wire.trips[start:]), found[1] if found else None


def _show(counts: Counts) -> None:
    for name, trips in (("first word", counts.first), ("last word", counts.last)):
        for number, trip in enumerate(trips, start=1):
            print(f"    {name}, trip {number}: {' | '.join(map(shortened, statements(trip)))}")


async def _time_chats(client: httpx.AsyncClient, wire: Wire, distances: Sequence[int]) -> None:
    print(f"{f'{_CHATS} chats at once, database away':34}{'of 8 users':>22}{'of one user':>22}")
    for distance in distances:
        wire.delay_seconds = distance / 2000
        several = [_person(is_paid=False) for _ in range(_CHATS)]
        one = [_person(is_paid=False)] * _CHATS
        times = [await _timed(client, people) for people in (several, one)]
        print(f"{f'{distance} ms':34}{times[0]:>22}{times[1]:>22}", flush=True)


async def _timed(client: httpx.AsyncClient, people: Sequence[str]) -> str:
    """The time until all have their answers; each has had one before."""
    kind = Kind("", is_streamed=True)
    for person in dict.fromkeys(people):
        await _ask(client, kind, person)
    started = time.perf_counter()
    answers = await asyncio.gather(*(_ask(client, kind, person) for person in people))
    seconds = time.perf_counter() - started
    refused = sum(not _is_whole(answer) for answer in answers)
    return f"{seconds:.2f} s" + (f", {refused} refused" if refused else "")


def _person(*, is_paid: bool) -> str:
    """The access token of a new user, who has free messages or money."""
    [token] = sign_up(1)
    if is_paid:
        transaction(_pay, tokens.read_access(token).user_id)
    return token


def _pay(db: Connection, user_id: str) -> None:
    daily_messages.raise_to(db, user_id, shanghai_day(now_ms()), _FREE_MESSAGES)
    wallets.book(db, user_id, "grant", 100_000, key=f"grant:{user_id}")


async def _ask(
    client: httpx.AsyncClient, kind: Kind, token: str, conversation_id: str | None = None
) -> httpx.Response:
    """Send one message and wait for the end of its answer."""
    headers = {"Authorization": f"Bearer {token}"}
    if kind.has_key:
        headers["Idempotency-Key"] = new_id()
    body: dict[str, object] = {"stream": kind.is_streamed}
    if kind.path == "/api/chat":
        body |= {"message": "How are you?", "conversation_id": conversation_id}
    else:
        body |= {"messages": [{"role": "user", "content": "How are you?"}]}
    return await client.post(kind.path, json=body, headers=headers)


def _is_whole(answer: httpx.Response) -> bool:
    return answer.status_code == 200 and FEW_TOKENS[-1].strip() in answer.text
