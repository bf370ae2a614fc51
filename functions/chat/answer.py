"""An answer as it grows, and those who watch it grow."""

import asyncio
from collections.abc import AsyncGenerator, Sequence

from functions.chat.ending import failure_of, text_of
from shared.errors import AppError
from shared.llm.estimate import estimate_tokens
from shared.llm.events import Delta, Event, Finish, Reasoning, Usage
from shared.pricing import Tokens
from shared.repos.answer_chunks import AnswerChunk


class Answer:
    """What one model has said so far. It ends once, with an outcome or a failure."""

    def __init__(self) -> None:
        self.pieces: list[AnswerChunk] = []
        self.finish_reason = ""
        self.outcome: dict[str, object] | None = None
        self.failure: AppError | None = None
        self._reported: Usage | None = None
        self._watchers: set[asyncio.Event] = set()

    def take(self, event: Event) -> None:
        if isinstance(event, Delta):
            self._grow(AnswerChunk("text", event.text))
        elif isinstance(event, Reasoning):
            self._grow(AnswerChunk("reasoning", event.text))
        elif isinstance(event, Usage):
            self._reported = event
        elif isinstance(event, Finish):
            self.finish_reason = event.reason

    def end(self, outcome: dict[str, object], cause: AppError | None = None) -> None:
        self.outcome, self.failure = outcome, failure_of(outcome, cause)
        self._wake()

    @property
    def has_ended(self) -> bool:
        return self.outcome is not None

    @property
    def text(self) -> str:
        return text_of(self.pieces)

    def tokens(self, prompt_estimate: int) -> Tokens:
        """What the upstream counted, or our estimate; `source` says which of the two it is."""
        told = self._reported
        if told:
            return Tokens(told.prompt_tokens, told.completion_tokens, told.cached_tokens)
        return Tokens(prompt_estimate, estimate_tokens(self.text), source="estimated")

    async def watch(self) -> AsyncGenerator[Sequence[AnswerChunk], None]:
        """Yield what is new, all of it at once, until the answer has ended."""
        seen, woken = 0, asyncio.Event()
        self._watchers.add(woken)
        try:
            while True:
                woken.clear()
                if seen < len(self.pieces):
                    new, seen = self.pieces[seen:], len(self.pieces)
                    yield new
                elif self.has_ended:
                    return
                else:
                    await woken.wait()
        finally:
            self._watchers.discard(woken)

    def _grow(self, piece: AnswerChunk) -> None:
        self.pieces.append(piece)
        self._wake()

    def _wake(self) -> None:
        for woken in self._watchers:
            woken.set()
