"""Answer of a model while it is generated, and the wait for its next chunks."""

import asyncio
from collections.abc import AsyncGenerator, Sequence

from functions.chat.outcome import Outcome
from shared.errors import AppError
from shared.llm.call_lines import calls_in, continued, line_of
from shared.llm.events import Delta, Event, Finish, Output, Reasoning, Refusal, ToolCall
from shared.llm.token_counter import TokenCounter
from shared.pricing import Tokens
from shared.repos.answer_chunks import AnswerChunk, text_of

_CHUNK_CHARACTERS = 1024  # a chunk that long grows no more


class Answer:
    """The chunks generated so far. It ends once, with an outcome.

    A chunk that no reader has seen grows with the next event: an upstream may send each
    character by itself, and a chunk costs a hundred bytes besides its text.
    """

    def __init__(self) -> None:
        self.chunks: list[AnswerChunk] = []
        self.finish_reason = ""
        self.has_output = False
        self._seen = 0
        self.characters = 0
        self._joined = (0, "")
        self.is_booked = True
        self._outcome: Outcome | None = None
        self._begun = asyncio.Event()
        self.counter = TokenCounter()
        self._watchers: set[asyncio.Event] = set()

    def take(self, event: Event) -> None:
        self.counter.take(event)
        if isinstance(event, Output):
            self.has_output = True
            self._begun.set()
        if isinstance(event, Delta):
            self._append("text", event.text)
        elif isinstance(event, Reasoning):
            self._append("reasoning", event.text)
        elif isinstance(event, Refusal):
            self._append("refusal", event.text)
        elif isinstance(event, ToolCall):
            self._append_call(event)
        elif isinstance(event, Finish):
            self.finish_reason = event.reason

    def end(self, outcome: dict[str, object], cause: AppError | None = None) -> None:
        self._outcome = Outcome.of(outcome, cause)
        self._begun.set()
        self._wake()

    def end_unbooked(self, failure: AppError) -> None:
        """End it for its readers; what it costs is not known yet."""
        self.is_booked = False
        self.end({"error": failure.name}, failure)

    async def begun(self) -> None:
        """Wait until something was received, or the answer has ended."""
        await self._begun.wait()

    @property
    def has_ended(self) -> bool:
        return self._outcome is not None

    @property
    def outcome(self) -> Outcome:
        """Empty until the answer has ended."""
        return self._outcome or Outcome({})

    @property
    def text(self) -> str:
        """Joined once for each length."""
        if self._joined[0] != self.characters:
            self._joined = (self.characters, text_of(self.chunks))
        return self._joined[1]

    def see_all(self) -> int:
        """Return the number of chunks so far; they do not change from now on."""
        self._seen = len(self.chunks)
        return self._seen

    def tokens(self, prompt_estimate: int) -> Tokens:
        """The counts of the upstream, or our estimate; `source` says which of the two."""
        return self.counter.tokens(prompt_estimate)

    async def watch(self) -> AsyncGenerator[Sequence[AnswerChunk], None]:
        """Yield the new chunks as lists, until the answer has ended."""
        seen, woken = 0, asyncio.Event()
        self._watchers.add(woken)
        try:
            while True:
                woken.clear()
                if seen < len(self.chunks):
                    new, seen = self.chunks[seen:], self.see_all()
                    yield new
                elif self.has_ended:
                    return
                else:
                    await woken.wait()
        finally:
            self._watchers.discard(woken)

    def _append(self, kind: str, text: str) -> None:
        if last := self._growing(kind):
            self.chunks[-1] = AnswerChunk(kind, last.text + text)
        else:
            self.chunks.append(AnswerChunk(kind, text))
        self.characters += len(text)
        self._wake()

    def _append_call(self, call: ToolCall) -> None:
        """A chunk holds one line, which grows by further parts of the same call."""
        last = self._growing("tool_calls")
        before = calls_in(last.text)[0] if last else None
        if before and before.index == call.index:
            self.chunks[-1] = AnswerChunk("tool_calls", line_of(continued(before, call)))
        else:
            self.chunks.append(AnswerChunk("tool_calls", line_of(call)))
        self.characters += len(call.text)
        self._wake()

    def _growing(self, kind: str) -> AnswerChunk | None:
        """The last chunk, if it is of this kind and may grow."""
        last = self.chunks[-1] if len(self.chunks) > self._seen else None
        return last if last and last.kind == kind and len(last.text) < _CHUNK_CHARACTERS else None

    def _wake(self) -> None:
        for woken in self._watchers:
            woken.set()
