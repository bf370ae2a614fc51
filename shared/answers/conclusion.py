"""Conclusion of a turn: settle or release it, store its messages, record its outcome.

Only the first call for a turn has an effect. The caller is the instance that generated
the answer, or the sweeper if that instance was killed.
"""

from shared.answers import conversation
from shared.answers.ending import Ending
from shared.database.connection import Connection
from shared.money import charging
from shared.money.charging import Charge
from shared.money.outcome import outcome_json, outcome_text
from shared.repos import idempotency, turns
from shared.repos.turns import OpenTurn, Turn
from shared.times import now_ms


def conclude(db: Connection, turn: Turn, ending: Ending) -> dict[str, object] | None:
    """End the turn; return its outcome, or None, with no effect, if it has ended already.

    The first round trip locks every row that the rest depends on. So the writes need no
    answers: they are deferred until the COMMIT.
    """
    ended_at_ms = now_ms()
    locked = turns.lock_open(db, turn)
    reply = conversation.begin(db, turn, ending)
    known = locked.first(OpenTurn)
    if known is None:
        return None
    charge = _end(db, turn, known, ending)
    if reply:
        conversation.store(db, turn, known, reply)
    outcome = outcome_json(
        ending.finish_reason,
        ending.tokens,
        latency_ms=ended_at_ms - turn.created_at_ms,
        error=ending.error,
        charge=vars(charge),
        quota=charging.quota_after(turn, known, charge),
        is_truncated=bool(turn.is_truncated),
    )
    turns.end(
        db,
        turn.message_id,
        ending.state,
        outcome_text(outcome),
        tokens=ending.tokens,
        charged_fen=charge.amount_fen,
        at_ms=ended_at_ms,
    )
    return outcome


def _end(db: Connection, turn: Turn, known: OpenTurn, ending: Ending) -> Charge:
    """Settle or release. A released turn loses its idempotency key: the client may repeat it."""
    if ending.state == "settled":
        return charging.settle(db, turn, known, ending.tokens)
    idempotency.forget(db, turn.message_id)
    return charging.release(db, turn)
