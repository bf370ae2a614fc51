"""Settlement of a generation: its last draft, its charge and its calls to upstreams."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress

from functions.chat.draft_saver import Draft, draft_saver, save
from functions.chat.turn import PreparedTurn
from shared.answers.conclusion import conclude
from shared.answers.ending import Ending
from shared.database import threads
from shared.database.connection import Connection
from shared.errors import DatabaseUnavailable
from shared.limits import rate_limits
from shared.money.outcome import outcome_json, stored_outcome
from shared.repos import turns, upstream_calls
from shared.repos.upstream_calls import UpstreamCall
from shared.times import now_ms

_ATTEMPTS = 4
_FIRST_PAUSE_SECONDS = 0.2


async def settle(
    turn: PreparedTurn, draft: Draft, calls: Sequence[UpstreamCall], ending: Ending
) -> dict[str, object]:
    """Settle or release the turn, and return its outcome.

    Raises: DatabaseUnavailable, after several attempts; the sweeper then ends the turn.
    """
    if turn.row is None:
        latency_ms = now_ms() - turn.head.started_ms
        return outcome_json(
            ending.finish_reason, ending.tokens, latency_ms=latency_ms, error=ending.error
        )
    await draft_saver.finish(draft)
    for attempt in range(_ATTEMPTS):
        try:
            outcome = await threads.transaction(_settle, turn.row, draft, calls, ending)
            await _count_unpaid(turn.row.subject, calls, ending)
            return outcome
        except DatabaseUnavailable:
            draft.save_failed = True
            await asyncio.sleep(_FIRST_PAUSE_SECONDS * 2**attempt)
    raise DatabaseUnavailable


async def _count_unpaid(subject: str, calls: Sequence[UpstreamCall], ending: Ending) -> None:
    """Count a free message that an upstream worked for; the count may be lost in an outage."""
    due = rate_limits.due_of([rate_limits.of_unpaid(subject)])
    if due and ending.state == "released" and any(call.has_worked for call in calls):
        with suppress(DatabaseUnavailable):
            await threads.autocommit(rate_limits.record, due, at_ms=now_ms())


def _settle(
    db: Connection, row: turns.Turn, draft: Draft, calls: Sequence[UpstreamCall], ending: Ending
) -> dict[str, object]:
    """If the sweeper ended the turn first, the outcome that it recorded is returned."""
    outcome = conclude(db, row, ending)
    if outcome is None:
        return stored_outcome(turns.get(db, row.message_id))
    save(db, [draft])
    for number, call in enumerate(calls, start=1):
        upstream_calls.add(
            db,
            row.message_id,
            number,
            call,
            ending.tokens,
            model=row.model,
            at_ms=row.created_at_ms,
        )
    return outcome
