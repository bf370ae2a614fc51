"""`scripts/bench whole`: whole answers of 5 tokens, by the product and by a bare relay."""

import argparse
import asyncio
import json
import os
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from scripts.tooling.bench.model import FEW_TOKENS
from scripts.tooling.bench.product import database, sign_up
from scripts.tooling.bench.servers import Server, chat, model, relay

_WARM_UP_SECONDS = 1.0
_LEGEND = """
answers  whole answers in a second, the median of all rounds
CPU      processor time of the server process for one answer, ms
The relay (starlette and httpx) has no users, no database and no money.
"""


@dataclass
class Subject:
    """A server under load, and the results of its rounds."""

    name: str
    server: Server
    requests: Sequence[bytes] = field(repr=False)
    answers_per_second: list[float] = field(default_factory=list)
    cpu_ms: list[float] = field(default_factory=list)

    @property
    def row(self) -> list[str]:
        rate, cpu = map(statistics.median, (self.answers_per_second, self.cpu_ms))
        return [self.name, f"{rate:.0f}", f"{cpu:.2f}"]


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="scripts/bench whole", description=__doc__)
    parser.add_argument("--clients", type=int, default=50, help="concurrent clients")
    parser.add_argument("--seconds", type=float, default=5, help="length of a round")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of each server, in turn")
    options = parser.parse_args(arguments)
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    if len(cores) < 2:
        print("scripts/bench: needs Linux and two processor cores", file=sys.stderr)
        return 1
    os.sched_setaffinity(0, cores[1:])  # for the model, the clients and the database
    asyncio.run(_measure(options.clients, options.seconds, options.rounds, cores[0]))
    return 0


async def _measure(clients: int, seconds: float, rounds: int, core: int) -> None:
    print(f"{clients} clients, each server on one core, {rounds} rounds of {seconds:g} s in turn")
    with database() as variables:
        ours = [_request("/api/chat", token) for token in sign_up(clients)]
        async with (
            model("--at-once") as url,
            relay(url, core) as bare,
            chat(variables, url, core) as function,
        ):
            theirs = [_request("/v1/chat/completions", "")] * clients
            subjects = [Subject("relay", bare, theirs), Subject("product", function, ours)]
            for subject in subjects:
                await _load(subject, _WARM_UP_SECONDS)
            for _ in range(rounds):
                for subject in subjects:
                    await _run_round(subject, seconds)
    _show(subjects)


async def _run_round(subject: Subject, seconds: float) -> None:
    async with subject.server.measured() as usage:
        started = time.perf_counter()
        count = await _load(subject, seconds)
        subject.answers_per_second.append(count / (time.perf_counter() - started))
    subject.cpu_ms.append(usage.cpu_ms / count)


async def _load(subject: Subject, seconds: float) -> int:
    """All clients ask again and again until the time is over; return the number of answers."""
    until = time.perf_counter() + seconds
    counts = await asyncio.gather(
        *(_ask_until(until, subject.server.port, request) for request in subject.requests)
    )
    return sum(counts)


async def _ask_until(until: float, port: int, request: bytes) -> int:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    count = 0
    while time.perf_counter() < until:
        writer.write(request)
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        length = head.partition(b"content-length:")[2].partition(b"\r\n")[0]
        _check(head, await reader.readexactly(int(length)))
        count += 1
    writer.close()
    return count


def _check(head: bytes, body: bytes) -> None:
    """A refusal would look fast."""
    if b" 200 " not in head[:16] or "".join(FEW_TOKENS).encode() not in body:
        raise SystemExit(f"not the answer:\n{(head + body).decode(errors='replace')}")


def _request(path: str, token: str) -> bytes:
    body = json.dumps({"messages": [{"role": "user", "content": "How are you today?"}]}).encode()
    lines = [
        f"POST {path} HTTP/1.1",
        "Host: 127.0.0.1",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        *([f"Authorization: Bearer {token}"] if token else []),
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body


def _show(subjects: Sequence[Subject]) -> None:
    for row in [["server", "answers", "CPU"], *(subject.row for subject in subjects)]:
        print("  ".join(cell.rjust(9) for cell in row))
    bare, product = (statistics.median(one.answers_per_second) for one in subjects)
    print(f"the product gives {product / bare:.2f} times the answers of the relay")
    print(_LEGEND, end="")
