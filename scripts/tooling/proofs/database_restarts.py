"""`scripts/prove database-restarts`: kill the database at each phase of many paid answers.

MariaDB is killed with SIGKILL, stays away and is started again. Clients repeat and resume as
the API says. At the end every answer is whole in the history and charged once, the ledger
adds up, no turn is open and no slot is taken. Maintenance runs all the time.
"""

import argparse
import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import httpx

from scripts.tooling.proofs import state
from scripts.tooling.proofs.clients import KINDS, Client, NotGiven
from scripts.tooling.proofs.fault import PHASES, Fault
from scripts.tooling.proofs.model import answer_to
from scripts.tooling.proofs.product import Product, product
from shared.database.transactions import read

_HEADINGS = ["away", "phase", "answers", "whole", "pending", "repeated", "released", "s", "wrong"]
_QUIET_SECONDS = 30.0  # in which the last turns must end after the last answer was given
_PATIENCE_SECONDS = 60.0  # after the database is back


@dataclass
class Round:
    """One phase with one time away: its clients, and what was wrong at the end."""

    phase: str
    away: float
    clients: list[Client] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    released: int = 0
    seconds: float = 0.0

    @property
    def row(self) -> list[str]:
        whole = sum(client.text == answer_to(client.question) for client in self.clients)
        return [
            f"{self.away:g} s",
            self.phase,
            str(len(self.clients)),
            str(whole),
            str(sum(client.pending > 0 for client in self.clients)),
            str(sum(client.repetitions > 0 for client in self.clients)),
            str(self.released),
            f"{self.seconds:.0f}",
            str(len(self.wrong)),
        ]


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="scripts/prove database-restarts", description=__doc__)
    parser.add_argument("--answers", type=int, default=40, help="answers of each phase")
    parser.add_argument("--away", default="2,20", help="seconds, separated by commas")
    parser.add_argument("--phases", default=",".join(PHASES), help="some of: %(default)s")
    options = parser.parse_args(arguments)
    aways = [float(text) for text in options.away.split(",")]
    phases = options.phases.split(",")
    if unknown := set(phases) - set(PHASES):
        parser.error(f"unknown phases: {', '.join(unknown)}")
    rounds = asyncio.run(_prove(options.answers, aways, phases))
    print(_LEGEND, end="")
    return 1 if any(one.wrong for one in rounds) else 0


_LEGEND = """
whole     answers that their clients have whole
pending   clients that were told answer_pending
repeated  clients that repeated their request or resumed their stream
released  turns that ended without an answer and without a charge
wrong     violations: not whole, not charged exactly once, open turns, taken slots, crashes
"""


async def _prove(answers: int, aways: Sequence[float], phases: Sequence[str]) -> list[Round]:
    print(_row_text(_HEADINGS), flush=True)
    rounds = []
    async with product() as made:
        for away in aways:
            for phase in phases:
                rounds.append(await _run(made, Round(phase, away), answers))
                print(_row_text(rounds[-1].row), flush=True)
                for line in rounds[-1].wrong:
                    print(f"    {line}", flush=True)
    return rounds


async def _run(made: Product, one: Round, answers: int) -> Round:
    started = time.monotonic()
    released_before = await asyncio.to_thread(read, state.released_turns)
    payers = [await asyncio.to_thread(state.add_payer) for _ in range(-(-answers // len(KINDS)))]
    async with httpx.AsyncClient(
        base_url=made.url, timeout=120, limits=httpx.Limits(max_connections=None)
    ) as http:
        for number in range(answers):
            door, is_streamed = KINDS[number % len(KINDS)]
            question = f"{one.phase} {one.away:g} {number}"
            token = payers[number // len(KINDS)][1]
            one.clients.append(Client(http, token, door, is_streamed, question))
        await _ask_all(made, one)
    await _until_quiet()
    one.released = await asyncio.to_thread(read, state.released_turns) - released_before
    for number, (user_id, _) in enumerate(payers):
        mine = one.clients[number * len(KINDS) : (number + 1) * len(KINDS)]
        questions = [(client.question, client.door) for client in mine]
        one.wrong += await asyncio.to_thread(
            read, lambda db, *given: list(state.violations(db, *given)), user_id, questions
        )
    one.wrong += made.crashes()
    one.seconds = time.monotonic() - started
    return one


async def _ask_all(made: Product, one: Round) -> None:
    fault = Fault(made, one.phase, one.away, len(one.clients))
    asking = [asyncio.create_task(client.run()) for client in one.clients]
    injecting = asyncio.create_task(fault.inject(asking))
    limit = one.away + _PATIENCE_SECONDS
    await asyncio.wait([*asking, injecting], timeout=limit)
    for client, task in zip(one.clients, asking, strict=True):
        one.wrong += _problems(client, task)
    if not injecting.done() or injecting.exception():
        one.wrong.append(f"the database was not killed: {injecting}")
    for task in [*asking, injecting]:
        task.cancel()
    await asyncio.gather(*asking, injecting, return_exceptions=True)
    await made.ensure_database()


def _problems(client: Client, task: "asyncio.Task[None]") -> list[str]:
    """Violations in the answer of one client."""
    if not task.done():
        return [f"{client.question}: no answer in time"]
    error = task.exception()
    if isinstance(error, NotGiven):
        return [f"{client.question}: {error}"]
    if error:
        return [f"{client.question}: {error!r}"]
    if client.text != answer_to(client.question):
        return [f"{client.question}: the client has another text"]
    if client.end.get("finish_reason") != "stop":
        return [f"{client.question}: ended with {client.end.get('finish_reason')}"]
    charge = client.end.get("charge", {}).get("amount_fen")
    if client.door == "chat" and (charge != state.PRICE_FEN or "quota" not in client.end):
        return [f"{client.question}: the client was told the charge {charge}"]
    return []


async def _until_quiet() -> None:
    until = time.monotonic() + _QUIET_SECONDS
    while await asyncio.to_thread(read, state.open_turns) and time.monotonic() < until:
        await asyncio.sleep(0.1)


def _row_text(cells: Sequence[str]) -> str:
    return f"{cells[0]:>6}  {cells[1]:22}" + "".join(cell.rjust(10) for cell in cells[2:])
