"""`scripts/bench stream`: the same load, sent to a model directly and through the product."""

import argparse
import asyncio
import json
import os
import re
import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from scripts.tooling.bench.load import Request, TimedAnswer, ask, ask_concurrently
from scripts.tooling.bench.model import SECONDS_PER_TOKEN, TOKENS
from scripts.tooling.bench.product import database, sign_up
from scripts.tooling.bench.servers import Server, Usage, chat, model

_STREAMS = "1,20,100,200"
_ANSWER_SECONDS = len(TOKENS) * SECONDS_PER_TOKEN
_FEWEST_ANSWERS = 10
_WARM_UP = 8


@dataclass(frozen=True)
class Measured:
    """Results for one number of streams, with and without the product."""

    streams: int
    direct: list[TimedAnswer]
    ours: list[TimedAnswer]
    usage: Usage

    @property
    def row(self) -> list[str]:
        answers = len(self.ours)
        return [
            str(self.streams),
            f"{self._added_ms(50):.1f}",
            f"{self._added_ms(99):.1f}",
            f"{_mean_ms(self.ours) / _mean_ms(self.direct):.3f}",
            f"{self.usage.cpu_ms / answers:.1f}",
            f"{self.usage.memory_kb / self.streams:.0f}",
        ]

    def _added_ms(self, percent: int) -> float:
        return _percentile(self.ours, percent) - _percentile(self.direct, percent)


_HEADINGS = ["streams", "first p50", "first p99", "total", "CPU", "memory"]
_LEGEND = """
first   time that the product adds to the first token, ms
total   time of a whole answer, divided by that of the model alone
CPU     processor time of the chat process for one answer of 100 tokens, ms
memory  memory of the chat process for each open stream, KB
"""


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="scripts/bench stream", description=__doc__)
    parser.add_argument(
        "--streams", default=_STREAMS, help=f"numbers of concurrent streams; default {_STREAMS}"
    )
    parser.add_argument("--rounds", type=int, default=1, help="least number of answers per stream")
    options = parser.parse_args(arguments)
    counts = [int(text) for text in options.streams.split(",")]
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    if len(cores) < 2:
        print("scripts/bench: needs Linux and two processor cores", file=sys.stderr)
        return 1
    os.sched_setaffinity(0, cores[1:])  # for the model, the clients and the database
    asyncio.run(_measure(counts, options.rounds, cores[0]))
    return 0


async def _measure(counts: Sequence[int], rounds: int, core: int) -> None:
    print(f"{len(TOKENS)} tokens at {1 / SECONDS_PER_TOKEN:.0f} a second, chat on one core;")
    print(f"streams begin evenly over {_ANSWER_SECONDS:.0f} s, until all are open at once")
    print(_row_text(_HEADINGS), flush=True)
    with database() as variables:
        tokens = sign_up(max(counts))
        async with model() as url:
            for count in counts:
                async with chat(variables, url, core) as function:
                    measured = await _compare(tokens[:count], rounds, url, function)
                    print(_row_text(measured.row), flush=True)
    print(_LEGEND, end="")


async def _compare(
    tokens: Sequence[str], rounds: int, model_url: str, function: Server
) -> Measured:
    """Measure a process that is warm: its start is not part of the results."""
    ours = [_to_product(function.port, token) for token in tokens]
    directly = [_to_model(urlsplit(model_url).port or 80)] * len(ours)
    await asyncio.gather(*(ask(ours[0]) for _ in range(_WARM_UP)))
    rounds = max(rounds, -(-_FEWEST_ANSWERS // len(ours)))
    direct = await ask_concurrently(directly, rounds=rounds, over_seconds=_ANSWER_SECONDS)
    async with function.measured() as usage:
        answered = await ask_concurrently(ours, rounds=rounds, over_seconds=_ANSWER_SECONDS)
    for answer in [*direct, *answered]:
        _check(answer)
    return Measured(len(tokens), direct, answered, usage)


def _to_product(port: int, token: str) -> Request:
    body = {"messages": [{"role": "user", "content": "How are you today?"}], "stream": True}
    raw = _post("/api/chat", body, f"Authorization: Bearer {token}\r\n")
    return Request(port, raw, b"event: delta")


def _to_model(port: int) -> Request:
    body = {"messages": [{"role": "user", "content": "How are you today?"}], "stream": True}
    return Request(port, _post("/v1/chat/completions", body), b'"content"')


def _post(path: str, body: dict[str, object], more: str = "") -> bytes:
    data = json.dumps(body).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(data)}\r\n{more}"
    return head.encode() + b"Content-Type: application/json\r\n\r\n" + data


def _check(answer: TimedAnswer) -> None:
    """Check that an answer is complete; an incomplete one would look fast."""
    texts = re.findall(rb'"(?:text|content)": ?"([^"]*)"', answer.raw)
    if b"".join(texts).decode() != "".join(TOKENS):
        raise SystemExit(f"not the whole answer:\n{answer.raw[-2000:].decode(errors='replace')}")


def _mean_ms(answers: Sequence[TimedAnswer]) -> float:
    return statistics.fmean(answer.total_ms for answer in answers)


def _percentile(answers: Sequence[TimedAnswer], percent: int) -> float:
    ordered = sorted(answer.first_token_ms for answer in answers)
    return ordered[min(len(ordered) * percent // 100, len(ordered) - 1)]


def _row_text(cells: Sequence[str]) -> str:
    return "  ".join(cell.rjust(9) for cell in cells)
