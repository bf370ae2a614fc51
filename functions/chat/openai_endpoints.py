"""POST /v1/chat/completions, GET /v1/models: the same chat for clients of OpenAI's API."""

from collections.abc import AsyncGenerator, Mapping

from functions.chat import openai_schema
from functions.chat.caller import admit
from functions.chat.ending import Ended, note
from functions.chat.generation import Production, produce
from functions.chat.openai_schema import Completion, Shape
from functions.chat.replay import as_told, first_answer
from functions.chat.turn import Twin
from shared.errors import AppError, ModelNotFound
from shared.llm import routing
from shared.web import sse
from shared.web.endpoint import Request, Response, endpoint

_PING_SECONDS = 10


def _failure(error: AppError, request: Request) -> Response:
    """`x-should-retry` is what the official SDKs go by before they look at the status."""
    headers = {**error.headers, "X-Should-Retry": "true" if error.retryable else "false"}
    status = 400 if error.status == 422 else error.status
    return Response.json(openai_schema.error(error, request.language), status, headers)


@endpoint("GET", "/v1/models", fail=_failure)
async def models(request: Request) -> Response:
    await admit(request)
    listed = [openai_schema.model(name) for name in await routing.models()]
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
    return _whole(await production.whole(), shape, request)


async def _again(twin: Twin, asked: Completion, request: Request) -> Response:
    """The first answer once more."""
    row, said = await first_answer(twin)
    shape = Shape(row.message_id, row.model, row.created_at_ms, counted=asked.counts_in_stream)
    ended = as_told(row, said)
    if asked.is_streamed:
        return _events(_as_stored(ended, shape, request))
    return _whole(ended, shape, request)


def _whole(ended: Ended, shape: Shape, request: Request) -> Response:
    note(ended.failure, request)
    return Response.json(shape.whole(ended.pieces, ended.outcome))


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
        yield _end(answer.outcome or {}, answer.failure, shape, request)
    finally:
        if not answer.has_ended:
            production.leave()


async def _as_stored(ended: Ended, shape: Shape, request: Request) -> AsyncGenerator[bytes, None]:
    yield shape.start() + shape.grown(ended.pieces)
    yield _end(ended.outcome, ended.failure, shape, request)


def _end(
    outcome: Mapping[str, object], failure: AppError | None, shape: Shape, request: Request
) -> bytes:
    if failure is None:
        return shape.ended(outcome)
    note(failure, request)
    return openai_schema.event(openai_schema.error(failure, request.language))
