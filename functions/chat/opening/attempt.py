"""Attempt to open a turn: one whose commit is in doubt finds out, or releases the turn.

Without this, a turn that was opened by a COMMIT whose reply was lost would keep its slot, its
reservation and its idempotency key until the sweeper ends it.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field

from functions.chat.generation.pending import PendingTransaction, pending
from functions.chat.opening.duplicates import Duplicate
from functions.chat.turn import PreparedTurn
from shared.answers.conclusion import conclude
from shared.answers.ending import Ending
from shared.database import threads
from shared.database.connection import Connection, DuplicateKey
from shared.errors import DatabaseUnavailable, OutcomeUnknown
from shared.ids import new_id
from shared.pricing import Tokens
from shared.repos import turns

_CLIENT_SECONDS = 4.5
_PAUSE_SECONDS = 0.2

Opened = PreparedTurn | Duplicate
Open = Callable[[], Awaitable[Opened]]


@dataclass
class OpeningAttempt:
    """The id that the turn has in every transaction of the attempt.

    `is_over` makes a transaction that still runs in its thread roll back.
    """

    message_id: str = field(default_factory=new_id)
    is_over: bool = False

    async def run(self, open_once: Open, open_again: Open) -> Opened:
        """Open the turn; if it is not known whether it is open, look, and open it if it is not.

        Raises: what both raise; OutcomeUnknown: the client's time is over. The turn is then
            released as soon as the database is back.
        """
        until = time.monotonic() + _CLIENT_SECONDS
        try:
            return await open_once()
        except OutcomeUnknown:
            pass
        try:
            return await asyncio.wait_for(self._find_out(open_again), until - time.monotonic())
        except BaseException as error:
            self._release()
            if isinstance(error, asyncio.TimeoutError):
                raise OutcomeUnknown(reason="no answer in time") from None
            raise

    def check(self) -> None:
        """Call this last in each transaction. Raises: DatabaseUnavailable."""
        if self.is_over:
            raise DatabaseUnavailable(reason="the client's time is over")

    async def _find_out(self, open_again: Open) -> Opened:
        """A DuplicateKey is that of the attempt itself: its commit has just become visible."""
        while True:
            with suppress(DatabaseUnavailable, DuplicateKey):
                return await open_again()
            await asyncio.sleep(_PAUSE_SECONDS)

    def _release(self) -> None:
        self.is_over = True
        message_id = self.message_id
        pending.keep(
            PendingTransaction(message_id, 0, lambda: threads.transaction(_release, message_id))
        )


def _release(db: Connection, message_id: str) -> None:
    """Release the turn if it was opened; the lock waits for a COMMIT that is still running."""
    if turns.lock(db, message_id):
        row = turns.get(db, message_id)
        tokens = Tokens(row.prompt_tokens, 0, source="estimated")
        conclude(db, row, Ending("", "error", tokens, error=DatabaseUnavailable.name))
