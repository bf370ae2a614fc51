"""Stored answers: read from the database, also while another instance generates them."""

import asyncio
from collections.abc import AsyncGenerator, Sequence

from functions.chat.opening.duplicates import Duplicate
from functions.chat.outcome import Outcome
from functions.chat.turn import AnswerHead
from shared.database import threads
from shared.database.connection import Connection
from shared.errors import InProgress, NotFound
from shared.money.outcome import stored_outcome
from shared.repos import answer_chunks, conversations, turns
from shared.repos.answer_chunks import AnswerChunk, StoredChunk
from shared.repos.turns import Turn

_POLL_SECONDS = 0.3


class StoredAnswer:
    """The chunks stored so far; while the turn is open, the database is polled for more."""

    is_stored = True

    def __init__(self, row: Turn, stored: list[StoredChunk]) -> None:
        self.head = AnswerHead.of(row)
        self._row = row
        self._stored = stored

    @classmethod
    async def of_turn(cls, row: Turn) -> "StoredAnswer":
        """Raises: NotFound: the answer was deleted."""
        return cls(row, await threads.read(_stored_chunks, row))

    @classmethod
    async def of_duplicate(cls, duplicate: Duplicate) -> "StoredAnswer":
        """The answer of the first request, which must be settled: a released one has no key.

        Raises: InProgress; NotFound: the answer was deleted.
        """
        row = await threads.read(turns.get, duplicate.message_id)
        if row.state != "settled":
            raise InProgress(row.message_id)
        return await cls.of_turn(row)

    @property
    def outcome(self) -> Outcome:
        return Outcome.of(stored_outcome(self._row))

    async def all_chunks(self) -> Sequence[AnswerChunk]:
        return [chunk async for new in self.new_chunks() for chunk in new]

    async def new_chunks(self) -> AsyncGenerator[Sequence[AnswerChunk], None]:
        """The read that finds the turn ended also finds its last chunks, so it is the last read."""
        new, position = self._stored, 0
        while True:
            if new:
                position = new[-1].position + 1
                yield new
            if self._row.state != "open":
                return
            if not new:
                await asyncio.sleep(_POLL_SECONDS)
            self._row, new = await threads.read(_read_from, self.head.message_id, position)

    async def begun(self, seconds: float) -> None:
        """What is stored has begun."""

    def leave(self) -> None:
        """The generation does not depend on the readers of its stored chunks."""


def _stored_chunks(db: Connection, row: Turn) -> list[StoredChunk]:
    """Chunks are stored for a day; after that, the text of the conversation is the answer."""
    chunks = answer_chunks.list_from(db, row.message_id, 0)
    if chunks or row.state == "open":
        return chunks
    text = conversations.find_answer(db, row.message_id)
    if text is None and row.state == "released":
        return []
    if text is None:
        raise NotFound
    return [StoredChunk("text", text, 0)]


def _read_from(db: Connection, message_id: str, position: int) -> tuple[Turn, list[StoredChunk]]:
    """Read the state first: the last chunks are stored before the turn is marked ended."""
    row = turns.get(db, message_id)
    return row, answer_chunks.list_from(db, message_id, position)
