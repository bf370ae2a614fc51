"""Settlement of a recognition: charge a draft, release what gave none, store the result."""

import json
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from functions.drugs.recognition.reading import Reading
from shared.answers.completion import complete
from shared.answers.conclusion import conclude
from shared.answers.ending import Ending
from shared.database import transactions
from shared.database.connection import Connection
from shared.database.transactions import transaction
from shared.errors import DatabaseUnavailable
from shared.limits import rate_limits
from shared.money.outcome import stored_outcome
from shared.repos import idempotency, turns, upstream_calls
from shared.repos.turns import Turn
from shared.times import now_ms

_SECONDS = 4.0  # in which the database may come back
_PAUSE_SECONDS = 0.3


def settle(turn: Turn, reading: Reading, notice: str) -> dict[str, object]:
    """End the turn once; return the result for the client.

    Raises: the failure of a recognition without a draft; DatabaseUnavailable: the turn could
        not be ended, and the sweeper releases it.
    """
    result = _until_done(turn, reading, notice)
    if reading.failure is not None:
        _count_unpaid(turn, reading)
        raise reading.failure
    return result


def _until_done(turn: Turn, reading: Reading, notice: str) -> dict[str, object]:
    until = time.monotonic() + _SECONDS
    while True:
        try:
            return transaction(_settle, turn, reading, notice)
        except DatabaseUnavailable:
            if time.monotonic() > until:
                raise
            time.sleep(_PAUSE_SECONDS)


def _settle(db: Connection, turn: Turn, reading: Reading, notice: str) -> dict[str, object]:
    """The sweeper may have ended the turn, or an attempt whose reply was lost: it stays so."""
    ending = _ending(reading)
    outcome: Mapping[str, Any] | None = conclude(db, turn, ending)
    if outcome is None:
        complete(db, turn.message_id, ending)
        outcome = stored_outcome(turns.get(db, turn.message_id))
    if not upstream_calls.are_recorded(db, turn.message_id):
        _record_calls(db, turn, reading)
    result = _result(turn, reading, outcome, notice)
    if reading.draft is not None:
        idempotency.record_answer(db, turn.message_id, json.dumps(result, ensure_ascii=False))
    return result


def _ending(reading: Reading) -> Ending:
    """A draft is charged. A reply without a draft is of no use, so it costs nothing."""
    if reading.draft is not None:
        return Ending("", "stop", reading.tokens, has_output=True)
    error = reading.failure.name if reading.failure else ""
    return Ending("", "error", reading.tokens, error=error)


def _result(
    turn: Turn, reading: Reading, outcome: Mapping[str, Any], notice: str
) -> dict[str, object]:
    draft = reading.draft
    return {
        "recognition_id": turn.message_id,
        "draft": dict(draft.fields) if draft else None,
        "confidence": dict(draft.confidence) if draft else None,
        "model": turn.model,
        **{name: outcome.get(name) for name in ("usage", "charge", "quota", "latency_ms")},
        "ai_generated": True,
        "notice": notice,
    }


def _record_calls(db: Connection, turn: Turn, reading: Reading) -> None:
    for number, (call, tokens) in enumerate(reading.calls, start=1):
        upstream_calls.add(
            db,
            turn.message_id,
            number,
            call,
            tokens,
            model=turn.model,
            at_ms=turn.created_at_ms,
        )


def _count_unpaid(turn: Turn, reading: Reading) -> None:
    """Count a free recognition that an upstream worked for; an outage may lose the count."""
    due = rate_limits.due_of([rate_limits.of_unpaid(turn.subject)])
    if due and reading.has_worked:
        with suppress(DatabaseUnavailable):
            transactions.autocommit(rate_limits.record, due, at_ms=now_ms())
