"""Stored answers: read from the database, also while another instance generates them."""

import asyncio
import time
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
from shared.times import now_ms

_POLL_SECONDS = 0.3
_LONGEST_SECONDS = 540  # to join an answer: the platform ends a request after 600


class StoredAnswer:
    """The chunks stored so far; while the turn is open, the database is polled for more.

    A repeated request joins the running answer of the first one: it waits only while an
    instance renews the lease, and not for ever.
    """

    is_stored = True

    def __init__(self, row: Turn, stored: list[StoredChunk], *, joins: bool = False) -> None:
        self.head = AnswerHead.of(row)
        self._row = row
        self._stored = stored
        self._joins = joins
        self._began = time.monotonic()

    @classmethod
    async def of_turn(cls, row: Turn) -> "StoredAnswer":
        """Raises: NotFound: the answer was deleted."""
        return cls(row, await threads.read(_stored_chunks, row))

    @classmethod
    async def of_duplicate(cls, duplicate: Duplicate) -> "StoredAnswer":
        """The answer of the first request, also while it runs.

        Raises: InProgress: it runs, and cannot be followed; NotFound: it was deleted.
        """
        row = await threads.read(turns.get, duplicate.message_id)
        answer = cls(row, await threads.read(_stored_chunks, row), joins=True)
        answer.check()
        return answer

    @property
    def subject(self) -> str:
        return self._row.subject

    @property
    def is_running(self) -> bool:
        return self._row.state == "open"

    @property
    def outcome(self) -> Outcome:
        return Outcome.of(stored_outcome(self._row))

    async def all_chunks(self) -> Sequence[AnswerChunk]:
        chunks = [chunk async for new in self.new_chunks() for chunk in new]
        if self.outcome.failure and self._row.state == "released":
            raise self.outcome.failure
        return chunks

    async def new_chunks(self) -> AsyncGenerator[Sequence[AnswerChunk], None]:
        """The read that finds the turn ended also finds its last chunks, so it is the last read."""
        new, position = self._stored, 0
        while True:
            if new:
                position = new[-1].position + 1
                yield new
            if self._row.state != "open":
                return
            self.check()
            if not new:
                await asyncio.sleep(_POLL_SECONDS)
            self._row, new = await threads.read(_read_from, self.head.message_id, position)

    async def begun(self, seconds: float) -> None:
        """Wait until a chunk is stored, the answer has ended, or the time is over.

        Raises: the failure of an empty answer; InProgress, if the answer cannot be followed.
        """
        until = time.monotonic() + seconds
        while self.is_running and not self._stored and time.monotonic() < until:
            self.check()
            await asyncio.sleep(_POLL_SECONDS)
            self._row, self._stored = await threads.read(_read_from, self.head.message_id, 0)
        if self._row.state == "released" and self.outcome.failure:
            raise self.outcome.failure

    def check(self) -> None:
        """Raises: InProgress: the lease of a joined answer has expired, or the time is over.

        Its instance is gone, or cannot reach the database.
        """
        is_late = time.monotonic() > self._began + _LONGEST_SECONDS
        if self._joins and self.is_running and (is_late or self._row.lease_until_ms < now_ms()):
            raise InProgress(self.head.message_id)

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
