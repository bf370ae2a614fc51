"""Completion of a turn that the sweeper ended before its producer came back.

The producer knows the whole answer, the sweeper only the stored part. The charge and the
state of the turn stay as they are: what is added costs nothing.
"""

from shared.answers import conversation
from shared.answers.ending import Ending
from shared.database.connection import Connection
from shared.money.outcome import outcome_text, stored_outcome, usage_json
from shared.repos import conversations, turns, users
from shared.repos.turns import Turn
from shared.times import now_ms


def complete(db: Connection, message_id: str, ending: Ending) -> bool:
    """Replace text, finish reason and token counts; return whether chunks may be stored.

    A second call with the same ending changes nothing more. So it may also run after a
    producer's own commit whose reply was lost. Nothing of a deleted conversation or account
    is stored again: a deletion locks the turn first, too.
    """
    turns.lock(db, message_id)
    turn = turns.get(db, message_id)
    if ending.state == "released":
        return False
    is_kept = not _is_deleted(db, turn)
    if is_kept:
        conversation.replace(db, turn, ending)
    _record(db, turn, ending)
    return is_kept


def _is_deleted(db: Connection, turn: Turn) -> bool:
    """A released turn has its question, and a settled one its conversation, until a deletion.

    The conversation is locked, so a deletion waits.
    """
    if turn.conversation_id and turn.question is None:
        return not conversations.touch(db, turn.conversation_id, at_ms=now_ms())
    return turn.user_id is not None and users.is_erased(db, turn.user_id)


def _record(db: Connection, turn: Turn, ending: Ending) -> None:
    outcome = stored_outcome(turn)
    outcome.pop("error", None)
    outcome |= {"finish_reason": ending.finish_reason, "usage": usage_json(ending.tokens)}
    if ending.error:
        outcome["error"] = ending.error
    turns.change_outcome(db, turn.message_id, outcome_text(outcome), tokens=ending.tokens)
