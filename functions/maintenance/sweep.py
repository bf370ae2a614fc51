"""Ending the turns whose producer is gone, from what is stored of their answers."""

import time
from dataclasses import dataclass

from shared import log
from shared.database.connection import Connection
from shared.database.transactions import read, transaction
from shared.errors import DatabaseUnavailable, UpstreamFailed
from shared.llm.estimate import estimate_tokens
from shared.money import charging
from shared.money.charging import Ending
from shared.pricing import Tokens
from shared.repos import answer_chunks, turns
from shared.repos.turns import Turn
from shared.times import now_ms

_MOST_TURNS = 1000


@dataclass
class Swept:
    """`failed` are turns that could not be ended; they stay open for the next run."""

    settled: int = 0
    released: int = 0
    failed: int = 0


def run(until: float) -> Swept:
    """End what is abandoned now, each in a transaction of its own, while there is time.

    Raises: DatabaseUnavailable.
    """
    swept, before_ms = Swept(), now_ms()
    for message_id in read(turns.list_abandoned, before_ms=before_ms, count=_MOST_TURNS):
        if time.monotonic() > until:
            break
        _count(swept, _ended(message_id, before_ms))
    return swept


def _count(swept: Swept, state: str | None) -> None:
    if state:
        setattr(swept, state, getattr(swept, state) + 1)


def _ended(message_id: str, before_ms: int) -> str | None:
    """One turn that cannot be ended must not keep the others open."""
    try:
        return transaction(_end, message_id, before_ms)
    except DatabaseUnavailable:
        raise
    except Exception as error:  # noqa: BLE001  # whatever is wrong with it
        log.crash(error, request_id=message_id)
        return "failed"


def _end(db: Connection, message_id: str, before_ms: int) -> str | None:
    """Return the state it ended in; None where somebody else ended it, or its producer is back."""
    if not turns.lock_abandoned(db, message_id, before_ms=before_ms):
        return None
    turn = turns.get(db, message_id)
    ending = _ending(db, turn)
    charging.conclude(db, turn, ending)
    return "settled" if ending.text else "released"


def _ending(db: Connection, turn: Turn) -> Ending:
    stored = answer_chunks.list_from(db, turn.message_id, 0)
    text = "".join(piece.text for piece in stored if piece.kind == "text")
    tokens = Tokens(turn.prompt_tokens, estimate_tokens(text), source="estimated")
    return Ending(text, "interrupted", tokens, error="" if text else UpstreamFailed.name)
