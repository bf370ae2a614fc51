"""POST /v1/chat/completions, GET /v1/models: the same chat for clients of OpenAI's API."""

from collections.abc import AsyncGenerator, Iterable, Mapping

from functions.chat import completion
from functions.chat.caller import admit
from functions.chat.completion import Completion, Shape
from functions.chat.production import Production, produce
from functions.chat.recall import first_answer
from functions.chat.turn import Twin
from shared import charging, sse
from shared.errors import AppError, ModelNotFound, UpstreamFailed
from shared.http import Request, Response, endpoint
from shared.llm import routing
from shared.repos.pieces import Piece

_PING_SECONDS = 10


def _failure(error: AppError, request: Request) -> Response:
    """`x-should-retry` is what the official SDKs go by before they look at the status."""
    headers = {**error.headers, "X-Should-Retry": "true" if error.retryable else "false"}
    status = 400 if error.status == 422 else error.status
    return Response.json(completion.error(error, request.language), status, headers)


@endpoint("GET", "/v1/models", fail=_failure)
async def models(request: Request) -> Response:
    await admit(request)
    listed = [completion.model(name) for name in await routing.models()]
    return Response.json({"object": "list", "data": listed})


@endpoint("POST", "/v1/chat/completions", fail=_failure)
async def complete(request: Request) -> Response:
    asked = request.parse(Completion)
    if asked.model not in (None, *await routing.models()):
        raise ModelNotFound
    production = await produce(request, asked, thinking=asked.is_streamed)
    if isinstance(production, Twin):
        return await _again(production, asked, request)
    turn = production.turn
    shape = Shape(turn.message_id, turn.model, turn.started_ms, counted=asked.counts_in_stream)
    if asked.is_streamed:
        return _events(_as_it_grows(production, shape, request))
    answer = await production.whole()
    _note(answer.failure, request)
    return Response.json(shape.whole(answer.pieces, answer.outcome or {}))


async def _again(twin: Twin, asked: Completion, request: Request) -> Response:
    """The first answer once more."""
    row, said = await first_answer(twin)
    shape = Shape(row.message_id, row.model, row.created_at_ms, counted=asked.counts_in_stream)
    outcome = charging.outcome_of(row)
    if asked.is_streamed:
        return _events(_as_stored(said, outcome, shape, request))
    return Response.json(shape.whole(said, outcome))


def _events(stream: AsyncGenerator[bytes, None]) -> Response:
    return Response.events(sse.with_pings(stream, _PING_SECONDS))


async def _as_it_grows(
    production: Production, shape: Shape, request: Request
) -> AsyncGenerator[bytes, None]:
    """Leaving early leaves the production to the settings."""
    answer = production.answer
    try:
        yield shape.start()
        async for new in answer.watch():
            yield shape.grown(new)
        if answer.failure:
            _note(answer.failure, request)
            yield completion.event(completion.error(answer.failure, request.language))
        else:
            yield shape.ended(answer.outcome or {})
    finally:
        if not answer.has_ended:
            production.leave()


def _note(failure: AppError | None, request: Request) -> None:
    if failure:
        request.notes.update(error=failure.name, context=failure.context)


async def _as_stored(
    said: Iterable[Piece], outcome: Mapping[str, object], shape: Shape, request: Request
) -> AsyncGenerator[bytes, None]:
    yield shape.start() + shape.grown(said)
    if "error" in outcome:
        yield completion.event(completion.error(UpstreamFailed(), request.language))
    else:
        yield shape.ended(outcome)
