"""Producing answers, whoever is watching: from the first byte of the model to the books."""

import asyncio
from collections.abc import Iterator
from contextlib import aclosing
from itertools import groupby

from functions.chat.answer import Answer
from functions.chat.turn import LEASE_MS, Asked, Turn, Twin, begin
from shared import charging, db_async, log, settings
from shared.charging import Ending
from shared.config import load
from shared.db import Connection
from shared.errors import AppError, DatabaseUnavailable, Unexpected
from shared.http import Request
from shared.llm import routing
from shared.repos import attempts, pieces, turns
from shared.repos.attempts import Attempt
from shared.repos.pieces import NewPiece
from shared.times import now_ms

_SAVE_SECONDS = 0.4  # a stop asked for elsewhere is seen within it too
_CONCLUDE_ATTEMPTS = 4


async def produce(request: Request, question: Asked, *, thinking: bool) -> "Production | Twin":
    """Begin, and let the model speak.

    Whoever leaves while a turn is being reserved leaves an answer behind, and not
    a reservation that nobody answers for.

    Raises: what `begin` raises.
    """

    async def start() -> Production | Twin:
        turn = await begin(request, question)
        return turn if isinstance(turn, Twin) else Production(turn, thinking=thinking)

    starting = asyncio.create_task(start())
    try:
        return await asyncio.shield(starting)
    except asyncio.CancelledError:
        starting.add_done_callback(_leave)
        raise


def _leave(started: "asyncio.Task[Production | Twin]") -> None:
    if not started.cancelled() and not started.exception():
        production = started.result()
        if isinstance(production, Production):
            production.leave()


class Production:
    """One answer, being produced by this instance."""

    def __init__(self, turn: Turn, *, thinking: bool) -> None:
        self.turn = turn
        self.answer = Answer()
        self.attempts: list[Attempt] = []
        self.saved = 0
        self.save_failed = False
        self.left = False
        self._thinking = thinking
        self._producing = asyncio.create_task(self._produce())
        self._task = asyncio.create_task(self._run())
        journal.enter(self)

    def stop(self) -> None:
        """Keep what there is, as if the model had ended here."""
        self._producing.cancel()

    def leave(self) -> None:
        """The client that asked is gone: finish for later, or stop, as the settings say.

        What is not stored nobody can come back for.
        """
        chat, self.left = load(settings.Chat), True
        unwatched = sum(one.left for one in journal.running)
        cancel = chat.on_disconnect == "cancel" or unwatched > chat.max_unwatched
        if cancel or self.turn.row is None:
            self.stop()

    async def whole(self) -> Answer:
        """The answer, once it has ended: with an outcome, and text even where it broke off.

        Raises: whatever kept the model from saying anything.
        """
        try:
            await asyncio.wait({self._task})
        except asyncio.CancelledError:
            self.leave()
            raise
        if self.answer.failure and not self.answer.text:
            raise self.answer.failure
        return self.answer

    async def _run(self) -> None:
        await asyncio.wait({self._producing})
        journal.running.discard(self)
        failure = None
        if self._producing.cancelled():
            self.answer.finish_reason = "stop"
        else:
            failure = self._producing.result()
        try:
            self.answer.end(await self._concluded(failure), failure)
        except AppError as error:  # the sweeper will do it
            self.answer.end({}, failure or error)
        except Exception as error:  # noqa: BLE001  # whoever watches must hear of the end
            log.crash(error, request_id=self.turn.message_id)
            self.answer.end({}, Unexpected())

    async def _produce(self) -> AppError | None:
        turn = self.turn
        try:
            answer = routing.answer(
                turn.model,
                turn.prompt,
                thinking=self._thinking,
                options=turn.options,
                report=self.attempts.append,
            )
            async with aclosing(answer) as events:
                async for event in events:
                    self.answer.take(event)
        except AppError as error:
            return error
        except Exception as error:  # noqa: BLE001  # whoever watches must hear of the end
            log.crash(error, request_id=turn.message_id)
            return Unexpected()
        return None

    async def _concluded(self, failure: AppError | None) -> dict[str, object]:
        """Put the turn into the books, or leave it to the sweeper if the database is away."""
        ending = self._ending(failure)
        if self.turn.row is None:
            return self._uncounted(ending)
        await journal.saved()
        for attempt in range(_CONCLUDE_ATTEMPTS):
            try:
                return await db_async.transaction(_conclude, self, self.turn.row, ending)
            except DatabaseUnavailable:
                self.save_failed = True
                await asyncio.sleep(0.2 * 2**attempt)
        raise DatabaseUnavailable

    def _uncounted(self, ending: Ending) -> dict[str, object]:
        outcome: dict[str, object] = {
            "finish_reason": ending.finish_reason,
            "usage": charging.usage(ending.tokens),
            "latency_ms": max(now_ms() - self.turn.started_ms, 0),
        }
        return {**outcome, "error": ending.error} if ending.error else outcome

    def _ending(self, failure: AppError | None) -> Ending:
        answer, error = self.answer, failure.name if failure else ""
        reason = "error" if failure else answer.finish_reason
        return Ending(answer.text, reason, answer.tokens(self.turn.prompt_tokens), error)


def _conclude(
    connection: Connection, production: Production, row: turns.Turn, ending: Ending
) -> dict[str, object]:
    outcome = charging.conclude(connection, row, ending)
    if outcome is None:  # the sweeper was first, and what it found is what was charged
        return charging.outcome_of(turns.get(connection, row.message_id))
    _save(connection, [production])
    for number, attempt in enumerate(production.attempts, start=1):
        attempts.add(
            connection,
            row.message_id,
            number,
            attempt,
            ending.tokens,
            model=row.model,
            at_ms=row.created_at_ms,
        )
    return outcome


def _save(connection: Connection, productions: list[Production]) -> list[int]:
    """Store what is new of each; return how many pieces are stored then. Answers go on growing."""
    lengths = [len(production.answer.pieces) for production in productions]
    new: list[NewPiece] = []
    for production, length in zip(productions, lengths, strict=True):
        if production.save_failed:
            pieces.remove_from(connection, production.turn.message_id, production.saved)
        new += _unsaved(production, length)
    pieces.add_all(connection, new)
    return lengths


def _unsaved(production: Production, length: int) -> Iterator[NewPiece]:
    """A run of one kind becomes one row; its place is that of its first piece."""
    position = production.saved
    for kind, run in groupby(production.answer.pieces[position:length], lambda piece: piece.kind):
        texts = [piece.text for piece in run]
        yield NewPiece(kind, "".join(texts), position, production.turn.message_id)
        position += len(texts)


class Journal:
    """Saves what all running answers have gained, together and a few times a second."""

    def __init__(self) -> None:
        self.running: set[Production] = set()
        self._task: asyncio.Task[None] | None = None
        self._saving = asyncio.Lock()
        self._renewed_ms = 0

    def enter(self, production: Production) -> None:
        self.running.add(production)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())

    def stop(self, message_id: str) -> None:
        """Stop an answer of this instance at once; those of others look for it in the database."""
        for production in list(self.running):
            if production.turn.message_id == message_id:
                production.stop()

    async def saved(self) -> None:
        """Wait for a save under way."""
        async with self._saving:
            pass

    async def _run(self) -> None:
        while self.running:
            await asyncio.sleep(_SAVE_SECONDS)
            async with self._saving:
                await self._save()

    def _renews(self) -> bool:
        """Say whether it is time to; a save that fails is made up for by the next but a few."""
        now = now_ms()
        if now - self._renewed_ms < LEASE_MS / 10:
            return False
        self._renewed_ms = now
        return True

    async def _save(self) -> None:
        batch = [one for one in self.running if one.turn.row]
        if not batch:
            return
        try:
            done, to_stop = await db_async.transaction(_save_all, batch, renewing=self._renews())
        except Exception as error:  # noqa: BLE001  # the other answers must go on being saved
            if not isinstance(error, AppError):
                log.crash(error, request_id="")
            log.write("error", "save_failed", error=type(error).__name__)
            for production in batch:
                production.save_failed = True
            return
        for production, count in zip(batch, done, strict=True):
            production.saved, production.save_failed = count, False
            if production.turn.message_id in to_stop:
                production.stop()


def _save_all(
    connection: Connection, batch: list[Production], *, renewing: bool
) -> tuple[list[int], set[str]]:
    ids = [production.turn.message_id for production in batch]
    if renewing:
        turns.renew(connection, ids, until_ms=now_ms() + LEASE_MS)
    to_stop = turns.list_to_stop(connection, ids)
    ended = {one.message_id for one in to_stop if one.state != "open"}
    open_ones = [one for one in batch if one.turn.message_id not in ended]
    lengths = dict(zip(open_ones, _save(connection, open_ones), strict=True))
    return [lengths.get(one, one.saved) for one in batch], {one.message_id for one in to_stop}


journal = Journal()
