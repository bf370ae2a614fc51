"""The answering half of a turn: what the model says, and what is kept of it."""

from collections.abc import AsyncGenerator

from functions.chat import guests
from functions.chat.turn import Place, Turn
from shared import db_async, settings
from shared.config import load
from shared.db import Connection
from shared.errors import AppError
from shared.ids import new_id
from shared.llm import client as upstream
from shared.llm.estimate import estimate_tokens
from shared.llm.events import Delta, Event, Finish, Reasoning, Usage
from shared.repos import conversations
from shared.repos.conversations import Conversation, Message
from shared.times import now_ms

_TITLE_CHARACTERS = 40


class Answer:
    """The answer to one turn, as it grows."""

    def __init__(self, turn: Turn) -> None:
        self.turn = turn
        self._parts: list[str] = []
        self._said_anything = False
        self._finish_reason = ""
        self._reported: Usage | None = None

    async def events(self, *, thinking: bool) -> AsyncGenerator[Event, None]:
        """Yield what the model says; keep the turn once it has said everything.

        Raises: UpstreamFailed and its kin, DatabaseUnavailable.
        """
        try:
            async with upstream.stream(
                load(settings.Model), self.turn.prompt, model=self.turn.model, thinking=thinking
            ) as events:
                async for event in events:
                    self._take(event)
                    yield event
        except AppError:
            await self._give_back()
            raise
        await self._keep()

    @property
    def reply(self) -> str:
        return "".join(self._parts)

    @property
    def outcome(self) -> dict[str, object]:
        """What every answer ends with, streamed or whole."""
        guest = self.turn.guest
        return {
            "finish_reason": self._finish_reason,
            "usage": {
                "prompt_tokens": self._usage.prompt_tokens,
                "completion_tokens": self._usage.completion_tokens,
                "source": "reported" if self._reported else "estimated",
            },
            **({"quota": guest.quota} if guest else {}),
            "latency_ms": now_ms() - self.turn.started_ms,
            "ai_generated": True,
        }

    def _take(self, event: Event) -> None:
        self._said_anything |= isinstance(event, Delta | Reasoning)
        if isinstance(event, Delta):
            self._parts.append(event.text)
        elif isinstance(event, Usage):
            self._reported = event
        elif isinstance(event, Finish):
            self._finish_reason = event.reason

    @property
    def _usage(self) -> Usage:
        if self._reported:
            return self._reported
        asked = sum(estimate_tokens(message["content"]) for message in self.turn.prompt)
        return Usage(asked, estimate_tokens(self.reply))

    async def _give_back(self) -> None:
        """A guest pays with one of today's messages, unless the model said nothing at all."""
        if self.turn.guest and not self._said_anything:
            await guests.refund(self.turn.guest)

    async def _keep(self) -> None:
        if self.turn.place:
            await db_async.transaction(_keep, self, self.turn.place)

    def messages(self, place: Place) -> tuple[Message, Message]:
        """The question and the answer, as rows."""
        turn, usage = self.turn, self._usage
        asked = Message(
            id=new_id(),
            conversation_id=place.conversation_id,
            role="user",
            content=turn.question.text,
            created_at_ms=turn.started_ms,
        )
        answered = Message(
            id=turn.message_id,
            conversation_id=place.conversation_id,
            role="assistant",
            content=self.reply,
            created_at_ms=max(now_ms(), turn.started_ms + 1),
            model=turn.model,
            finish_reason=self._finish_reason,
            prompt_tokens=usage.prompt_tokens,
            completion_tokens=usage.completion_tokens,
        )
        return asked, answered


def _keep(connection: Connection, answer: Answer, place: Place) -> None:
    asked, answered = answer.messages(place)
    if place.is_new:
        title = asked.content[:_TITLE_CHARACTERS]
        conversations.add(
            connection,
            Conversation(place.conversation_id, place.user_id, title, asked.created_at_ms),
        )
    conversations.append(connection, asked)
    conversations.append(connection, answered)
