"""Answers as /api/chat words them: JSON, or server-sent events that a client can resume."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby

from functions.chat.outcome import Outcome
from functions.chat.turn import AnswerHead
from shared.repos.answer_chunks import AnswerChunk, text_of
from shared.web import sse
from shared.web.endpoint import Response

_FIELDS = {"text": "text", "refusal": "text", "reasoning": "reasoning"}


@dataclass
class EventPosition:
    """Characters of text and of reasoning that a client has received: the id of an event."""

    text: int = 0
    reasoning: int = 0

    def __str__(self) -> str:
        return f"{self.text}.{self.reasoning}"

    @classmethod
    def of(cls, last_event_id: str) -> "EventPosition":
        """An id of another form means the start of the answer."""
        found = re.fullmatch(r"(\d{1,9})\.(\d{1,9})", last_event_id, re.ASCII)
        return cls(int(found[1]), int(found[2])) if found else cls()


class ChatFormat:
    """One answer as JSON, or as events; `last_event_id` makes the events begin after that one."""

    def __init__(self, head: AnswerHead, language: str, *, last_event_id: str = "") -> None:
        self._identity = {
            "message_id": head.message_id,
            "conversation_id": head.conversation_id,
            "model": head.model,
        }
        self._language = language
        self._received = EventPosition.of(last_event_id)
        self._position = EventPosition()

    def whole(self, chunks: Iterable[AnswerChunk], outcome: Outcome) -> Response:
        body = {**self._identity, **outcome.data, "ai_generated": True}
        return Response.ok({"reply": text_of(chunks), **body})

    def start(self) -> bytes:
        return sse.event(str(self._received), "start", self._identity)

    def grown(self, new: Iterable[AnswerChunk]) -> bytes:
        """One event for each run of chunks of one field, or several if it is long.

        Tool calls are left out: only /v1 has tools, but its answers can be read here, too.
        """
        shown = [chunk for chunk in new if chunk.kind in _FIELDS]
        return b"".join(
            self._event(field, part)
            for field, run in groupby(shown, lambda chunk: _FIELDS[chunk.kind])
            for part in sse.parts("".join(chunk.text for chunk in run))
        )

    def end(self, outcome: Outcome) -> bytes:
        failure = outcome.failure
        if failure is None:
            return sse.event(str(self._position), "done", {**outcome.data, "ai_generated": True})
        error = {
            "error": failure.name,
            "message": failure.message(self._language),
            "retryable": failure.retryable,
            **failure.fields,
        }
        return sse.event(str(self._position), "error", {**outcome.data, **error})

    def _event(self, kind: str, text: str) -> bytes:
        """Empty if the client has received all of the text."""
        began = getattr(self._position, kind)
        setattr(self._position, kind, began + len(text))
        rest = text[max(getattr(self._received, kind) - began, 0) :]
        name = "delta" if kind == "text" else "reasoning"
        return sse.event(str(self._position), name, {"text": rest}) if rest else b""
