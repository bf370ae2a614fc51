"""Storage of answers while they grow: those of this instance together, a few times a second."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from functions.chat.generation.answer import Answer
from functions.chat.turn import LEASE_MS
from shared import log
from shared.database import threads
from shared.database.connection import Connection
from shared.errors import AppError
from shared.repos import answer_chunks, turns
from shared.repos.answer_chunks import NewChunk
from shared.times import now_ms

_SAVE_SECONDS = 0.4  # also how soon a stop requested at another instance is seen


@dataclass(eq=False)
class Draft:
    """A growing answer: how many of its chunks are stored and to be stored, and how to end it."""

    message_id: str
    answer: Answer
    stop: Callable[[], object]
    interrupt: Callable[[], object]
    saved: int = 0
    length: int = 0
    save_failed: bool = False

    def fix_length(self) -> None:
        """Choose all chunks so far for the next save, which runs in another thread."""
        self.length = self.answer.see_all()

    def unsaved(self) -> Iterator[NewChunk]:
        """One row for each run of chunks of one kind, at the position of its first chunk."""
        position = self.saved
        for kind, run in groupby(
            self.answer.chunks[position : self.length], lambda chunk: chunk.kind
        ):
            texts = [chunk.text for chunk in run]
            yield NewChunk(kind, "".join(texts), position, self.message_id)
            position += len(texts)


def save(db: Connection, drafts: Sequence[Draft]) -> list[int]:
    """Store the new chunks of each draft; return how many chunks of each are stored now.

    The answers go on growing meanwhile. After a failed save it is not known which
    chunks were stored, so the rows that it may have left are removed first.
    """
    new: list[NewChunk] = []
    for draft in drafts:
        if draft.save_failed:
            answer_chunks.remove_from(db, draft.message_id, draft.saved)
        new += draft.unsaved()
    answer_chunks.add_all(db, new)
    return [draft.length for draft in drafts]


def save_all(db: Connection, draft: Draft) -> None:
    """Store all chunks of an answer that has ended, in place of those stored before."""
    draft.saved, draft.save_failed = 0, True
    save(db, [draft])


class DraftSaver:
    """Saves drafts, renews the leases of their turns, and stops those that are to be stopped."""

    def __init__(self) -> None:
        self._drafts: set[Draft] = set()
        self._task: asyncio.Task[None] | None = None
        self._saving = asyncio.Lock()
        self._renewed_ms = 0

    def add(self, draft: Draft) -> None:
        self._drafts.add(draft)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())

    def stop(self, message_id: str) -> None:
        """Stop an answer of this instance at once; other instances read the database for it."""
        for draft in list(self._drafts):
            if draft.message_id == message_id:
                draft.stop()

    async def finish(self, draft: Draft) -> None:
        """Save the draft no more; return when a running save has ended."""
        if draft not in self._drafts:
            return
        self._drafts.remove(draft)
        async with self._saving:
            draft.fix_length()

    async def _run(self) -> None:
        while self._drafts:
            await asyncio.sleep(_SAVE_SECONDS)
            async with self._saving:
                await self._save(list(self._drafts))

    async def _save(self, batch: list[Draft]) -> None:
        if not batch:
            return
        for draft in batch:
            draft.fix_length()
        try:
            lengths, to_stop, ended = await threads.transaction(
                _save_all, batch, renewing=self._is_renewal_due()
            )
        except Exception as error:  # noqa: BLE001  # the other answers must go on being saved
            _log_failed_save(error)
            for draft in batch:
                draft.save_failed = True
            return
        for draft, length in zip(batch, lengths, strict=True):
            draft.saved, draft.save_failed = length, False
            if draft.message_id in ended:
                draft.interrupt()
            elif draft.message_id in to_stop:
                draft.stop()

    def _is_renewal_due(self) -> bool:
        """Ten times per lease, so that a lease outlives several saves that fail."""
        now = now_ms()
        if now - self._renewed_ms < LEASE_MS / 10:
            return False
        self._renewed_ms = now
        return True


def _save_all(
    db: Connection, batch: list[Draft], *, renewing: bool
) -> tuple[list[int], set[str], set[str]]:
    """Return the stored lengths, and the ids of the turns to stop and of those that have ended.

    The sweeper has ended them. No more of them is generated, and what was received so far is
    added at the end: see shared.answers.completion.
    """
    ids = [draft.message_id for draft in batch]
    if renewing:
        turns.renew(db, ids, until_ms=now_ms() + LEASE_MS)
    to_stop = turns.list_to_stop(db, ids)
    ended = {turn.message_id for turn in to_stop if turn.state != "open"}
    open_drafts = [draft for draft in batch if draft.message_id not in ended]
    lengths = dict(zip(open_drafts, save(db, open_drafts), strict=True))
    stored = [lengths.get(draft, draft.saved) for draft in batch]
    return stored, {turn.message_id for turn in to_stop}, ended


def _log_failed_save(error: Exception) -> None:
    if not isinstance(error, AppError):
        log.crash(error, request_id="")
    log.write("error", "save_failed", error=type(error).__name__)


draft_saver = DraftSaver()
