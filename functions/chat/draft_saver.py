"""Storing answers while they grow: all of this instance, together and a few times a second."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from functions.chat.answer import Answer
from functions.chat.turn import LEASE_MS
from shared import log
from shared.database import threads
from shared.database.connection import Connection
from shared.errors import AppError
from shared.repos import answer_chunks, turns
from shared.repos.answer_chunks import NewChunk
from shared.times import now_ms

_SAVE_SECONDS = 0.4  # a stop asked for elsewhere is seen within it too


@dataclass(eq=False)
class Draft:
    """An answer that grows, how much of it is stored, and what to do when it shall stop."""

    message_id: str
    answer: Answer
    stop: Callable[[], object]
    saved: int = 0
    save_failed: bool = False

    def unsaved(self, length: int) -> Iterator[NewChunk]:
        """A run of one kind becomes one row; its place is that of its first piece."""
        position = self.saved
        for kind, run in groupby(self.answer.pieces[position:length], lambda piece: piece.kind):
            texts = [piece.text for piece in run]
            yield NewChunk(kind, "".join(texts), position, self.message_id)
            position += len(texts)


def save(connection: Connection, drafts: Sequence[Draft]) -> list[int]:
    """Store what is new of each; return how many pieces are stored then. Answers go on growing."""
    lengths = [len(draft.answer.pieces) for draft in drafts]
    new: list[NewChunk] = []
    for draft, length in zip(drafts, lengths, strict=True):
        if draft.save_failed:
            answer_chunks.remove_from(connection, draft.message_id, draft.saved)
        new += draft.unsaved(length)
    answer_chunks.add_all(connection, new)
    return lengths


class Journal:
    """Saves drafts, keeps their turns from the sweeper, and looks who shall stop."""

    def __init__(self) -> None:
        self._drafts: set[Draft] = set()
        self._task: asyncio.Task[None] | None = None
        self._saving = asyncio.Lock()
        self._renewed_ms = 0

    def enter(self, draft: Draft) -> None:
        self._drafts.add(draft)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())

    def stop(self, message_id: str) -> None:
        """Stop an answer of this instance at once; those of others look for it in the database."""
        for draft in list(self._drafts):
            if draft.message_id == message_id:
                draft.stop()

    async def close(self, draft: Draft) -> None:
        """Save it no more; return when a save under way has ended."""
        self._drafts.discard(draft)
        async with self._saving:
            pass

    async def _run(self) -> None:
        while self._drafts:
            await asyncio.sleep(_SAVE_SECONDS)
            async with self._saving:
                await self._save(list(self._drafts))

    def _renews(self) -> bool:
        """Say whether it is time to; a save that fails is made up for by the next but a few."""
        now = now_ms()
        if now - self._renewed_ms < LEASE_MS / 10:
            return False
        self._renewed_ms = now
        return True

    async def _save(self, batch: list[Draft]) -> None:
        if not batch:
            return
        try:
            done, to_stop = await threads.transaction(_save_all, batch, renewing=self._renews())
        except Exception as error:  # noqa: BLE001  # the other answers must go on being saved
            if not isinstance(error, AppError):
                log.crash(error, request_id="")
            log.write("error", "save_failed", error=type(error).__name__)
            for draft in batch:
                draft.save_failed = True
            return
        for draft, count in zip(batch, done, strict=True):
            draft.saved, draft.save_failed = count, False
            if draft.message_id in to_stop:
                draft.stop()


def _save_all(
    connection: Connection, batch: list[Draft], *, renewing: bool
) -> tuple[list[int], set[str]]:
    ids = [draft.message_id for draft in batch]
    if renewing:
        turns.renew(connection, ids, until_ms=now_ms() + LEASE_MS)
    to_stop = turns.list_to_stop(connection, ids)
    ended = {one.message_id for one in to_stop if one.state != "open"}
    open_ones = [one for one in batch if one.message_id not in ended]
    lengths = dict(zip(open_ones, save(connection, open_ones), strict=True))
    return [lengths.get(one, one.saved) for one in batch], {one.message_id for one in to_stop}


journal = Journal()
