"""Conclusion of a turn: settle or release it, store its messages, record its outcome.

Only the first call for a turn has an effect. The caller is the instance that generated
the answer, or the sweeper if that instance was killed.
"""

import json

from shared.answers import conversation
from shared.answers.ending import Ending
from shared.database.connection import Connection
from shared.money import charging
from shared.money.charging import Charge
from shared.money.outcome import outcome_json
from shared.money.quota import quota_json
from shared.repos import idempotency, turns, wallets
from shared.repos.turns import Turn
from shared.times import now_ms


def conclude(db: Connection, turn: Turn, ending: Ending) -> dict[str, object] | None:
    """End the turn; return its outcome, or None, with no effect, if it has ended already."""
    ended_at_ms = now_ms()
    if not turns.mark_ended(db, turn.message_id, ending.state, at_ms=ended_at_ms):
        return None
    charge = _settle(db, turn, ending) if ending.state == "settled" else _release(db, turn)
    outcome = outcome_json(
        ending.finish_reason,
        ending.tokens,
        latency_ms=ended_at_ms - turn.created_at_ms,
        error=ending.error,
        charge=vars(charge),
        quota=_quota(db, turn),
    )
    turns.record_outcome(
        db,
        turn.message_id,
        json.dumps(outcome, ensure_ascii=False),
        tokens=ending.tokens,
        charged_fen=charge.amount_fen,
    )
    return outcome


def _settle(db: Connection, turn: Turn, ending: Ending) -> Charge:
    charge = charging.settle(db, turn, ending.tokens)
    if turn.user_id:
        conversation.store(db, turn, turn.user_id, ending)
    return charge


def _release(db: Connection, turn: Turn) -> Charge:
    """The idempotency key is removed, so that the client can repeat the request."""
    charge = charging.release(db, turn)
    idempotency.forget(db, turn.message_id)
    return charge


def _quota(db: Connection, turn: Turn) -> dict[str, object]:
    allowance = wallets.find_allowance(db, turn.subject, turn.day) or wallets.Allowance(0, None)
    return quota_json(turn.daily_limit, allowance.used, allowance.spendable_fen)
