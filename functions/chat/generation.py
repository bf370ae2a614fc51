"""Producing answers, whoever is watching: from the first byte of the model to the books."""

import asyncio
from contextlib import aclosing

from functions.chat.answer import Answer
from functions.chat.draft_saver import Draft, journal, save
from functions.chat.ending import Ended
from functions.chat.turn import Asked, Turn, Twin, begin
from shared import log, settings
from shared.answers.conclusion import conclude
from shared.answers.ending import Ending
from shared.config import load
from shared.database import threads
from shared.database.connection import Connection
from shared.errors import AppError, DatabaseUnavailable, Unexpected, UpstreamFailed
from shared.llm import routing
from shared.money.outcome import stored_outcome, usage_json
from shared.repos import turns, upstream_calls
from shared.repos.upstream_calls import UpstreamCall
from shared.times import now_ms
from shared.web.endpoint import Request

_CONCLUDE_ATTEMPTS = 4
_CLOSE_SECONDS = 5  # an instance that is told to stop has not long to live


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
        self.attempts: list[UpstreamCall] = []
        self.left = False
        self._interrupted = False
        self._thinking = thinking
        self._producing = asyncio.create_task(self._produce())
        self.draft = Draft(turn.message_id, self.answer, stop=self._producing.cancel)
        self._task = asyncio.create_task(self._run())
        if turn.row:
            journal.enter(self.draft)
        productions.enter(self)

    def stop(self) -> None:
        """Keep what there is, as if the model had ended here."""
        self._producing.cancel()

    def interrupt(self) -> None:
        """As `stop`, but nobody wanted it: whoever watches hears that it is not all."""
        self._interrupted = True
        self.stop()

    def leave(self) -> None:
        """The client that asked is gone: finish for later, or stop, as the settings say.

        What is not stored nobody can come back for.
        """
        chat, self.left = load(settings.Chat), True
        unwatched = sum(one.left for one in productions.running)
        cancel = chat.on_disconnect == "cancel" or unwatched > chat.max_unwatched
        if cancel or self.turn.row is None:
            self.stop()

    async def ended(self) -> None:
        await asyncio.wait({self._task})

    async def whole(self) -> Ended:
        """The answer, once it has ended: with an outcome, and text even where it broke off.

        Raises: whatever kept the model from saying anything.
        """
        try:
            await self.ended()
        except asyncio.CancelledError:
            self.leave()
            raise
        if self.answer.failure and not self.answer.text:
            raise self.answer.failure
        return Ended(
            self.turn.identity,
            self.turn.started_ms,
            self.answer.pieces,
            self.answer.outcome or {},
            self.answer.failure,
        )

    async def _run(self) -> None:
        await asyncio.wait({self._producing})
        failure = self._cut() if self._producing.cancelled() else self._producing.result()
        try:
            self.answer.end(await self._concluded(failure), failure)
        except AppError as error:  # the sweeper will do it
            self._end_unkept(failure or error)
        except Exception as error:  # noqa: BLE001  # whoever watches must hear of the end
            log.crash(error, request_id=self.turn.message_id)
            self._end_unkept(Unexpected())
        productions.running.discard(self)

    def _end_unkept(self, failure: AppError) -> None:
        self.answer.end({"error": failure.name}, failure)

    def _cut(self) -> AppError | None:
        """As the sweeper would have it, where it was the platform that stopped the instance."""
        self.answer.finish_reason = "interrupted" if self._interrupted else "stop"
        if self._interrupted and not self.answer.text:
            return UpstreamFailed(reason="the instance was stopped")
        return None

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
        await journal.close(self.draft)
        for attempt in range(_CONCLUDE_ATTEMPTS):
            try:
                return await threads.transaction(_conclude, self, self.turn.row, ending)
            except DatabaseUnavailable:
                self.draft.save_failed = True
                await asyncio.sleep(0.2 * 2**attempt)
        raise DatabaseUnavailable

    def _uncounted(self, ending: Ending) -> dict[str, object]:
        outcome: dict[str, object] = {
            "finish_reason": ending.finish_reason,
            "usage": usage_json(ending.tokens),
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
    outcome = conclude(connection, row, ending)
    if outcome is None:  # the sweeper was first, and what it found is what was charged
        return stored_outcome(turns.get(connection, row.message_id))
    save(connection, [production.draft])
    for number, attempt in enumerate(production.attempts, start=1):
        upstream_calls.add(
            connection,
            row.message_id,
            number,
            attempt,
            ending.tokens,
            model=row.model,
            at_ms=row.created_at_ms,
        )
    return outcome


class Productions:
    """Those of this instance."""

    def __init__(self) -> None:
        self.running: set[Production] = set()
        self._closing = False

    def enter(self, production: Production) -> None:
        self.running.add(production)
        if self._closing:
            production.interrupt()

    def interrupt(self) -> None:
        """The platform stops this instance: all answers end now, and so do those still to begin."""
        self._closing = True
        for production in list(self.running):
            production.interrupt()

    async def concluded(self) -> None:
        """Wait until all are in the books. Those that are late are left to the sweeper."""
        self.interrupt()
        tasks = [asyncio.create_task(one.ended()) for one in self.running]
        if tasks:
            await asyncio.wait(tasks, timeout=_CLOSE_SECONDS)


productions = Productions()
