"""Generation of answers: each runs as a task of this instance, apart from its readers."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Sequence
from contextlib import aclosing, suppress
from dataclasses import replace

from functions.chat.generation.answer import Answer
from functions.chat.generation.draft_saver import Draft, draft_saver
from functions.chat.generation.output_limit import limited
from functions.chat.generation.pending import pending
from functions.chat.generation.settlement import Settlement
from functions.chat.opening.duplicates import Duplicate
from functions.chat.opening.open_turn import open_turn
from functions.chat.outcome import Outcome
from functions.chat.turn import AnswerHead, AnswerRequest, PreparedTurn
from shared import log, settings
from shared.answers.ending import Ending
from shared.config import load
from shared.errors import AnswerPending, AppError, Unexpected, UpstreamFailed
from shared.llm import routing
from shared.money.outcome import outcome_json
from shared.repos.answer_chunks import AnswerChunk
from shared.repos.turns import Turn
from shared.repos.upstream_calls import UpstreamCall
from shared.times import now_ms
from shared.web.endpoint import Request

_CLOSE_SECONDS = 5  # the platform kills a stopping instance soon after
_BOOKING_SECONDS = 4  # for which a client waits, so that it has a response within 5 s


async def start_generation(
    request: Request, body: AnswerRequest, *, thinking: bool
) -> "Generation | Duplicate":
    """Open a turn and start its generation.

    If the client disconnects meanwhile, the turn is still opened and its generation runs
    as for any client that disconnects: every reservation has a generation that ends it.

    Raises: what `open_turn` raises.
    """

    async def start() -> Generation | Duplicate:
        turn = await open_turn(request, body)
        return turn if isinstance(turn, Duplicate) else Generation(turn, thinking=thinking)

    starting = asyncio.create_task(start())
    try:
        return await asyncio.shield(starting)
    except asyncio.CancelledError:
        starting.add_done_callback(_leave)
        raise


def _leave(starting: "asyncio.Task[Generation | Duplicate]") -> None:
    if not starting.cancelled() and not starting.exception():
        started = starting.result()
        if isinstance(started, Generation):
            started.leave()


class Generation:
    """Runs one answer as a task: generate, save drafts, settle."""

    is_stored = False

    def __init__(self, turn: PreparedTurn, *, thinking: bool) -> None:
        self.turn = turn
        self.is_left = False
        self._answer = Answer()
        self._calls: list[UpstreamCall] = []
        self._interrupted = False
        self._thinking = thinking
        self._generating = asyncio.create_task(self._generate())
        self._draft = Draft(
            turn.head.message_id,
            self._answer,
            stop=self._generating.cancel,
            interrupt=self.interrupt,
        )
        self._task = asyncio.create_task(self._run())
        if turn.row:
            draft_saver.add(self._draft)
        generations.add(self)

    @property
    def head(self) -> AnswerHead:
        return self.turn.head

    @property
    def outcome(self) -> Outcome:
        return self._answer.outcome

    def new_chunks(self) -> AsyncGenerator[Sequence[AnswerChunk], None]:
        return self._answer.watch()

    async def all_chunks(self) -> Sequence[AnswerChunk]:
        """Return the chunks once the answer has ended, also of one that broke off.

        Raises: the failure of an empty answer; AnswerPending: its charge is not known yet.
        """
        await self._wait_as_client(self.ended())
        is_given = self._answer.has_output and self._answer.is_booked
        if self.outcome.failure and not is_given:
            raise self.outcome.failure
        return self._answer.chunks

    async def begun(self, seconds: float) -> None:
        """Return once something was received, or the answer has ended, or the time is over.

        Raises: the failure of an empty answer; AnswerPending.
        """
        if not seconds:
            return
        with suppress(asyncio.TimeoutError):
            await self._wait_as_client(asyncio.wait_for(self._answer.begun(), seconds))
        if self.outcome.failure and not self._answer.has_output:
            raise self.outcome.failure

    async def _wait_as_client(self, event: Awaitable[None]) -> None:
        """Wait; a client that disconnects meanwhile leaves the answer."""
        try:
            await event
        except asyncio.CancelledError:
            self.leave()
            raise

    async def ended(self) -> None:
        await asyncio.wait({self._task})

    def stop(self) -> None:
        """End the answer with its chunks so far, and the finish reason `stopped`."""
        self._generating.cancel()

    def interrupt(self) -> None:
        """As `stop`, with the finish reason `interrupted`: the answer is not complete."""
        self._interrupted = True
        self.stop()

    def leave(self) -> None:
        """The client has gone: finish the answer for later, or stop, as the settings say.

        An uncounted answer is not stored, so nothing could return it later.
        """
        if self._answer.has_ended:
            return
        chat, self.is_left = load(settings.Chat), True
        cancels = chat.on_disconnect == "cancel" or generations.left_count > chat.max_unwatched
        if cancels or self.turn.row is None:
            self.stop()

    async def _run(self) -> None:
        await asyncio.wait({self._generating})
        is_cut = self._generating.cancelled()
        failure = self._cut() if is_cut else self._generating.result()
        self.turn = replace(self.turn, prompt=[])  # not needed any more, and large
        ending = self._ending(failure)
        try:
            if self.turn.row:
                await self._settle(self.turn.row, ending, failure)
            else:
                self._answer.end(_uncounted(self.head, ending), failure)
        except Exception as error:  # noqa: BLE001  # any exception must end the answer: readers wait for it
            log.crash(error, request_id=self.head.message_id)
            self._answer.end_unbooked(Unexpected())
        generations.running.discard(self)

    async def _settle(self, row: Turn, ending: Ending, failure: AppError | None) -> None:
        """Settle the turn; after a few seconds, readers wait no longer, but the settlement goes on.

        An empty answer that failed costs nothing, so its readers are given its failure.
        """
        settling = Settlement(row, self._draft, self._calls, ending).begin()
        done, _ = await asyncio.wait({settling.task}, timeout=_BOOKING_SECONDS)
        if done:
            self._answer.end(settling.task.result(), failure)
            return
        pending.keep(settling)
        free_failure = failure if ending.state == "released" else None
        self._answer.end_unbooked(free_failure or AnswerPending(self.head.message_id))

    def _cut(self) -> AppError | None:
        """An interrupted empty answer is a failure, as for the sweeper."""
        self._answer.finish_reason = "interrupted" if self._interrupted else "stopped"
        if self._interrupted and not self._answer.has_output:
            return UpstreamFailed(reason="the instance was stopped")
        return None

    async def _generate(self) -> AppError | None:
        try:
            answer = routing.answer(
                self.head.model,
                self.turn.prompt,
                thinking=self._thinking,
                options=self.turn.options,
                report=self._calls.append,
                called_with=self.turn.called_with,
            )
            async with aclosing(answer) as events:
                async for event in limited(events, self._answer.counter, self.turn.most_output):
                    self._answer.take(event)
        except AppError as error:
            return error
        except Exception as error:  # noqa: BLE001  # any exception must end the answer: readers wait for it
            log.crash(error, request_id=self.head.message_id)
            return Unexpected()
        return None

    def _ending(self, failure: AppError | None) -> Ending:
        answer, error = self._answer, failure.name if failure else ""
        reason = "error" if failure else answer.finish_reason
        tokens = answer.tokens(self.turn.prompt_tokens)
        return Ending(answer.text, reason, tokens, error, answer.has_output)


def _uncounted(head: AnswerHead, ending: Ending) -> dict[str, object]:
    latency_ms = now_ms() - head.started_ms
    return outcome_json(
        ending.finish_reason, ending.tokens, latency_ms=latency_ms, error=ending.error
    )


class Generations:
    """All running generations of this instance."""

    def __init__(self) -> None:
        self.running: set[Generation] = set()
        self._is_closing = False

    @property
    def left_count(self) -> int:
        return sum(generation.is_left for generation in self.running)

    def add(self, generation: Generation) -> None:
        self.running.add(generation)
        if self._is_closing:
            generation.interrupt()

    def interrupt(self) -> None:
        """Interrupt all generations, and every later one: the platform stops this instance."""
        self._is_closing = True
        for generation in list(self.running):
            generation.interrupt()

    async def close(self) -> None:
        """Interrupt all and wait until they are settled; the sweeper ends the late ones."""
        self.interrupt()
        loop = asyncio.get_running_loop()
        until = loop.time() + _CLOSE_SECONDS
        tasks = [asyncio.create_task(generation.ended()) for generation in self.running]
        if tasks:
            await asyncio.wait(tasks, timeout=_CLOSE_SECONDS)
        await pending.close(until - loop.time())


generations = Generations()
