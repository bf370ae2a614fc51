"""POST /api/chat: talk to the model, and have the answer whole or streamed."""

from collections.abc import AsyncGenerator

from functions.chat.answer import Answer
from functions.chat.question import Question
from functions.chat.turn import begin
from shared import log, sse
from shared.asgi import serve_web
from shared.errors import AppError, Unexpected
from shared.http import Request, Response, endpoint
from shared.llm import client as upstream
from shared.llm.events import Delta, Reasoning

_PING_SECONDS = 10


@endpoint("POST", "/api/chat")
async def chat(request: Request) -> Response:
    question = request.parse(Question)
    answer = Answer(await begin(request, question))
    if question.stream or "text/event-stream" in request.headers.get("accept", "").lower():
        return Response.events(sse.with_pings(_streamed(answer, request), _PING_SECONDS))
    return Response.ok(await _whole(answer))


async def _whole(answer: Answer) -> dict[str, object]:
    async for _ in answer.events(thinking=False):
        pass
    return {"reply": answer.reply, **answer.turn.identity, **answer.outcome}


async def _streamed(answer: Answer, request: Request) -> AsyncGenerator[bytes, None]:
    """The status is long sent when something fails here, so the failure is an event too."""
    number = 1
    yield sse.event(number, "start", answer.turn.identity)
    try:
        async for event in answer.events(thinking=True):
            if isinstance(event, Delta | Reasoning):
                number += 1
                name = "delta" if isinstance(event, Delta) else "reasoning"
                yield sse.event(number, name, {"text": event.text})
        yield sse.event(number + 1, "done", answer.outcome)
    except AppError as error:
        request.notes.update(error=error.name, context=error.context)
        yield sse.event(number + 1, "error", _told(error, request))
    except Exception as error:  # noqa: BLE001  # the client must hear that nothing more will come
        log.crash(error, request_id=request.request_id)
        yield sse.event(number + 1, "error", _told(Unexpected(), request))


def _told(error: AppError, request: Request) -> dict[str, object]:
    return {
        "error": error.name,
        "message": error.message(request.language),
        "retryable": error.retryable,
    }


handler = serve_web(chat, on_stop=upstream.close)
