"""Telling an answer as server-sent events, from any point on."""

import asyncio
import re
from collections.abc import AsyncGenerator, Iterable, Mapping
from dataclasses import dataclass
from itertools import groupby

from functions.chat.ending import failure_of, note
from functions.chat.generation import Production
from functions.chat.turn import identity_of
from shared.database import threads
from shared.database.connection import Connection
from shared.errors import AppError
from shared.money.outcome import stored_outcome
from shared.repos import answer_chunks, turns
from shared.repos.answer_chunks import AnswerChunk, StoredChunk
from shared.web import sse
from shared.web.endpoint import Request

_LOOK_SECONDS = 0.3


@dataclass
class Place:
    """How much of the text and of the reasoning a client has, in characters: an event's id."""

    text: int = 0
    reasoning: int = 0

    def __str__(self) -> str:
        return f"{self.text}.{self.reasoning}"

    @classmethod
    def of(cls, last_event_id: str) -> "Place":
        found = re.fullmatch(r"(\d{1,9})\.(\d{1,9})", last_event_id, re.ASCII)
        return cls(int(found[1]), int(found[2])) if found else cls()


class Teller:
    """Turns pieces into events; what the client has already is passed over."""

    def __init__(self, request: Request, known: Place | None = None) -> None:
        self._request = request
        self._known = known or Place()
        self._at = Place()

    def start(self, identity: Mapping[str, object]) -> bytes:
        return sse.event(str(self._known), "start", identity)

    def grown(self, new: Iterable[AnswerChunk]) -> bytes:
        """What came together is told together."""
        return b"".join(
            self._told(kind, "".join(piece.text for piece in run))
            for kind, run in groupby(new, lambda piece: piece.kind)
        )

    def _told(self, kind: str, text: str) -> bytes:
        began = getattr(self._at, kind)
        setattr(self._at, kind, began + len(text))
        rest = text[max(getattr(self._known, kind) - began, 0) :]
        name = "delta" if kind == "text" else "reasoning"
        return sse.event(str(self._at), name, {"text": rest}) if rest else b""

    def ended(self, outcome: dict[str, object], failure: AppError | None) -> bytes:
        if failure is None:
            return sse.event(str(self._at), "done", {**outcome, "ai_generated": True})
        note(failure, self._request)
        told = {
            "error": failure.name,
            "message": failure.message(self._request.language),
            "retryable": failure.retryable,
        }
        return sse.event(str(self._at), "error", {**outcome, **told})


async def as_it_grows(production: Production, request: Request) -> AsyncGenerator[bytes, None]:
    """Tell an answer of this instance. Leaving early leaves the production to the settings."""
    teller, answer = Teller(request), production.answer
    try:
        yield teller.start(production.turn.identity)
        async for new in answer.watch():
            yield teller.grown(new)
        yield teller.ended(answer.outcome or {}, answer.failure)
    finally:
        if not answer.has_ended:
            production.leave()


async def as_stored(
    row: turns.Turn, said: list[StoredChunk], request: Request
) -> AsyncGenerator[bytes, None]:
    """Tell an answer wherever it is produced, from what is stored of it, until it has ended."""
    known = Place.of(request.headers.get("last-event-id", ""))
    teller, now, new, position = Teller(request, known), row, said, 0
    yield teller.start(identity_of(row))
    while new or now.state == "open":
        if new:
            position = new[-1].position + 1
            yield teller.grown(new)
        else:
            await asyncio.sleep(_LOOK_SECONDS)
        now, new = await threads.read(_look, row.message_id, position)
    outcome = stored_outcome(now)
    yield teller.ended(outcome, failure_of(outcome))


def _look(
    connection: Connection, message_id: str, position: int
) -> tuple[turns.Turn, list[StoredChunk]]:
    """The state first: whatever ends a turn has stored its last pieces before."""
    return turns.get(connection, message_id), answer_chunks.list_from(
        connection, message_id, position
    )
