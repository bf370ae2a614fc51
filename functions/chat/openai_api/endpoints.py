"""Endpoints of OpenAI's API: POST /v1/chat/completions, GET /v1/models, GET /v1/models/{model}."""

from functions.chat.delivery.delivery import AnswerSource, deliver
from functions.chat.openai_api.format import OpenAIFormat, error_json, model_json
from functions.chat.openai_api.request import CompletionRequest
from functions.chat.opening.admission import admit
from functions.chat.opening.caller import identify_caller
from shared import settings
from shared.config import load
from shared.errors import (
    AnswerPending,
    AppError,
    InvalidRequest,
    ModelNotFound,
    NotFound,
    PromptTooLong,
    UnknownUrl,
)
from shared.llm import routing
from shared.web.endpoint import MEBIBYTE, Request, Response, endpoint

_MOST_BODY_BYTES = 4 * MEBIBYTE  # of pictures; an instance serves 50 requests at a time


def _failure(error: AppError, request: Request) -> Response:
    """The official SDKs read `x-should-retry` before the status.

    They repeat a request without a key of their own, so an answer that waits to be booked
    would be generated and charged a second time.
    """
    if type(error) is NotFound and "route" not in request.notes:
        error = UnknownUrl()
    is_repeatable = "idempotency-key" in request.headers or not isinstance(error, AnswerPending)
    should_retry = error.retryable and is_repeatable
    headers = {**error.headers, "X-Should-Retry": "true" if should_retry else "false"}
    status = 400 if isinstance(error, InvalidRequest | PromptTooLong) else error.status
    return Response.json(error_json(error, request.language), status, headers)


@endpoint("GET", "/v1/models", is_strict=False, fail=_failure)
async def list_models(request: Request) -> Response:
    await admit(request)
    data = [model_json(model) for model in await routing.offered()]
    return Response.json({"object": "list", "data": data})


@endpoint("GET", "/v1/models/{model:path}", is_strict=False, fail=_failure)
async def get_model(request: Request) -> Response:
    """Names of models may have slashes. Raises: ModelNotFound."""
    await admit(request)
    for model in await routing.offered():
        if model.name == request.path["model"]:
            return Response.json(model_json(model))
    raise ModelNotFound


@endpoint(
    "POST",
    "/v1/chat/completions",
    is_strict=False,
    max_body_bytes=_MOST_BODY_BYTES,
    fail=_failure,
)
async def create_completion(request: Request) -> Response:
    """The caller is identified first, because it takes long to read a large body."""
    identify_caller(request)
    body = request.parse(CompletionRequest)
    if body.model not in (None, *await routing.models()):
        raise ModelNotFound

    def format_of(source: AnswerSource) -> OpenAIFormat:
        with_usage = body.with_usage_in_stream
        return OpenAIFormat(source.head, request.language, with_usage=with_usage)

    head_seconds = load(settings.Chat).stream_head_seconds
    return await deliver(
        request, body, format_of, streamed=body.is_streamed, head_seconds=head_seconds
    )
