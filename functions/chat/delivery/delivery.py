"""Delivery of answers: whole or streamed, generated now or stored, in either API's format."""

from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import aclosing
from typing import Protocol

from functions.chat.delivery.stored_answer import StoredAnswer
from functions.chat.delivery.watchers import watchers
from functions.chat.generation.generation import start_generation
from functions.chat.opening.duplicates import Duplicate
from functions.chat.outcome import Outcome
from functions.chat.turn import AnswerHead, AnswerRequest
from shared.errors import AppError, InProgress, TooManyStreams
from shared.repos.answer_chunks import AnswerChunk
from shared.web import sse
from shared.web.ending_stream import EndingStream
from shared.web.endpoint import Request, Response

_PING_SECONDS = 10


class AnswerSource(Protocol):
    """An answer: a Generation of this instance, or a StoredAnswer from the database."""

    @property
    def head(self) -> AnswerHead: ...
    @property
    def is_stored(self) -> bool: ...
    @property
    def outcome(self) -> Outcome:
        """Valid after the last chunk."""

    def new_chunks(self) -> AsyncGenerator[Sequence[AnswerChunk], None]:
        """Yield the chunks, as they come, until the answer has ended."""

    async def all_chunks(self) -> Sequence[AnswerChunk]:
        """Wait for the end. Raises: the failure of an empty answer."""

    async def begun(self, seconds: float) -> None:
        """Wait for the beginning, up to a limit. Raises: the failure of an empty answer."""

    def leave(self) -> None:
        """Tell the source that the client disconnected. Without effect after the end."""


class AnswerFormat(Protocol):
    """The wording of one answer in one API."""

    def whole(self, chunks: Iterable[AnswerChunk], outcome: Outcome) -> Response: ...
    def start(self) -> bytes: ...
    def grown(self, new: Iterable[AnswerChunk]) -> bytes: ...
    def end(self, outcome: Outcome) -> bytes: ...


FormatOf = Callable[[AnswerSource], AnswerFormat]


async def deliver(
    request: Request,
    body: AnswerRequest,
    format_of: FormatOf,
    *,
    streamed: bool,
    head_seconds: float = 0,
) -> Response:
    """Answer a request with a new generation, or a repeated one with the first one's answer.

    The head of a stream waits `head_seconds` for the first word, so that a failure before it
    has its HTTP status. It is sent then in any case: nothing can be sent before it, and proxies
    close idle connections.

    Raises: what `start_generation` raises; InProgress; the failure of an answer without a word,
        if it is whole or if its head has waited for it.
    """
    started = await start_generation(request, body, thinking=streamed)
    if isinstance(started, Duplicate):
        return await _repeat(request, started, format_of, streamed, head_seconds)
    return await _respond(request, started, format_of, streamed, head_seconds)


async def _repeat(
    request: Request,
    duplicate: Duplicate,
    format_of: FormatOf,
    streamed: bool,
    head_seconds: float,
) -> Response:
    """Deliver the answer of an earlier request. One that still runs is joined and watched.

    Raises: InProgress, also if the caller has too many watchers; the failure of an answer
        without a word.
    """
    source = await StoredAnswer.of_duplicate(duplicate)
    if not source.is_running:
        return await _respond(request, source, format_of, streamed, head_seconds)
    try:
        with watchers.waiting(source.subject):
            if not streamed:
                return await _whole(source, format_of(source), request)
            await source.begun(head_seconds)
        events = stream(source, format_of(source), request)
        return Response.events(watchers.admit(source.subject, events))
    except TooManyStreams:
        raise InProgress(duplicate.message_id) from None


async def _respond(
    request: Request,
    source: AnswerSource,
    format_of: FormatOf,
    streamed: bool,
    head_seconds: float,
) -> Response:
    if not streamed:
        return await _whole(source, format_of(source), request)
    await source.begun(head_seconds)
    return Response.events(stream(source, format_of(source), request))


async def _whole(source: AnswerSource, format: AnswerFormat, request: Request) -> Response:
    chunks = await source.all_chunks()
    _log_failure(source.outcome, request)
    return format.whole(chunks, source.outcome)


def stream(source: AnswerSource, format: AnswerFormat, request: Request) -> EndingStream:
    """The events of an answer. A client that goes leaves the answer, also before it read any."""
    events = sse.with_pings(_events(source, format, request), _PING_SECONDS)
    return EndingStream(events, source.leave)


async def _events(
    source: AnswerSource, format: AnswerFormat, request: Request
) -> AsyncGenerator[bytes, None]:
    """A stored answer that cannot be read on ends with an error, and can be resumed there."""
    yield format.start()
    try:
        async with aclosing(source.new_chunks()) as new_chunks:
            async for new in new_chunks:
                yield format.grown(new)
        outcome = source.outcome
    except AppError as error:
        outcome = Outcome({"error": error.name}, error)
    _log_failure(outcome, request)
    yield format.end(outcome)


def _log_failure(outcome: Outcome, request: Request) -> None:
    """The response has status 200 all the same, so the access log must name the failure."""
    if outcome.failure:
        request.notes.update(error=outcome.failure.name, context=outcome.failure.context)
