"""Settlement of a generation: its last draft, its charge and its calls to upstreams."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from functions.chat.generation.draft_saver import Draft, draft_saver, save, save_all
from functions.chat.generation.pending import PendingTransaction
from shared.answers.completion import complete
from shared.answers.conclusion import conclude
from shared.answers.ending import Ending
from shared.database import threads
from shared.database.connection import Connection, DuplicateKey
from shared.errors import DatabaseUnavailable
from shared.limits import rate_limits
from shared.money.outcome import stored_outcome
from shared.repos import turns, upstream_calls
from shared.repos.turns import Turn
from shared.repos.upstream_calls import UpstreamCall
from shared.times import now_ms


@dataclass(frozen=True)
class Settlement:
    """Data to settle or release one turn; it is kept while the database is away."""

    row: Turn
    draft: Draft
    calls: Sequence[UpstreamCall]
    ending: Ending

    def begin(self) -> "PendingTransaction[dict[str, object]]":
        """Settle or release the turn, as often as it takes; the result is the outcome."""
        characters = self.draft.answer.characters + len(self.row.question or "")
        return PendingTransaction(self.row.message_id, characters, self._try)

    async def _try(self) -> dict[str, object]:
        await draft_saver.finish(self.draft)
        try:
            outcome = await threads.transaction(_settle, self)
        except (DatabaseUnavailable, DuplicateKey):
            self.draft.save_failed = True
            raise
        await self._count_unpaid()
        return outcome

    async def _count_unpaid(self) -> None:
        """Count a free message that an upstream worked for; the count may be lost in an outage."""
        due = rate_limits.due_of([rate_limits.of_unpaid(self.row.subject)])
        has_worked = any(call.has_worked for call in self.calls)
        if due and self.ending.state == "released" and has_worked:
            with suppress(DatabaseUnavailable):
                await threads.autocommit(rate_limits.record, due, at_ms=now_ms())


def _settle(db: Connection, settlement: Settlement) -> dict[str, object]:
    outcome = conclude(db, settlement.row, settlement.ending)
    if outcome is None:
        return _complete(db, settlement)
    save(db, [settlement.draft])
    _record_calls(db, settlement)
    return outcome


def _complete(db: Connection, settlement: Settlement) -> dict[str, object]:
    """The sweeper ended the turn first, or an earlier attempt whose reply was lost did."""
    message_id = settlement.row.message_id
    if complete(db, message_id, settlement.ending):
        save_all(db, settlement.draft)
    if not upstream_calls.are_recorded(db, message_id):
        _record_calls(db, settlement)
    return stored_outcome(turns.get(db, message_id))


def _record_calls(db: Connection, settlement: Settlement) -> None:
    row, ending = settlement.row, settlement.ending
    for number, call in enumerate(settlement.calls, start=1):
        upstream_calls.add(
            db,
            row.message_id,
            number,
            call,
            ending.tokens,
            model=row.model,
            at_ms=row.created_at_ms,
        )
