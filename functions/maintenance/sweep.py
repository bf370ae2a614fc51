"""The sweeper: ends abandoned turns with the stored part of their answers.

A lease cannot be renewed while the database is away, so an expired lease alone does not prove
that the instance is gone. A turn is abandoned if its lease had expired at the end of the
previous run already: the database was there at that time, and between two runs an instance
that is alive renews the lease or ends the turn.
"""

from functions.maintenance.chores import Counts, each
from shared import log
from shared.answers.conclusion import conclude
from shared.answers.ending import Ending
from shared.database.connection import Connection
from shared.database.transactions import read, transaction
from shared.errors import DatabaseUnavailable, UpstreamFailed
from shared.llm.call_lines import output_in
from shared.llm.estimate import estimate_tokens
from shared.pricing import Tokens
from shared.repos import answer_chunks, timers, turns
from shared.repos.answer_chunks import text_of
from shared.repos.turns import Turn
from shared.times import now_ms

TIMER = "maintenance"  # under which the runs are recorded
_MOST_TURNS = 1000


def run(until: float, counts: Counts) -> None:
    """End the turns abandoned now, each in its own transaction, until the time is over.

    Raises: DatabaseUnavailable.
    """
    previous = read(timers.find, TIMER)
    before_ms = previous.at_ms if previous else now_ms()
    abandoned = read(turns.list_abandoned, before_ms=before_ms, count=_MOST_TURNS)
    each(abandoned, until, lambda message_id: _try_to_end(message_id, before_ms, counts))


def _try_to_end(message_id: str, before_ms: int, counts: Counts) -> None:
    """End and count one turn; log and count a failure, so that the other turns are ended."""
    try:
        state = transaction(_end, message_id, before_ms)
    except DatabaseUnavailable:
        raise
    except Exception as error:  # noqa: BLE001  # any defect of one turn
        log.crash(error, request_id=message_id)
        state = "failed"
    if state:
        counts.add(state, 1)


def _end(db: Connection, message_id: str, before_ms: int) -> str | None:
    """Return the state it ended in; None if it has ended already, or is no longer abandoned."""
    if not turns.lock_abandoned(db, message_id, before_ms=before_ms):
        return None
    turn = turns.get(db, message_id)
    ending = _ending(db, turn)
    conclude(db, turn, ending)
    return ending.state


def _ending(db: Connection, turn: Turn) -> Ending:
    stored = answer_chunks.list_from(db, turn.message_id, 0)
    completion = estimate_tokens(*(output_in(chunk.kind, chunk.text) for chunk in stored))
    tokens = Tokens(turn.prompt_tokens, completion, source="estimated")
    error = "" if stored else UpstreamFailed.name
    return Ending(text_of(stored), "interrupted", tokens, error, has_output=bool(stored))
