"""POST /api/chat, POST /api/chat/stop, GET /api/chat/streams/{message_id}: chat with a model."""

from pydantic import BaseModel

from functions.chat.chat_api.format import ChatFormat
from functions.chat.chat_api.request import ChatRequest
from functions.chat.delivery.delivery import AnswerSource, deliver, stream
from functions.chat.delivery.stored_answer import StoredAnswer
from functions.chat.delivery.watchers import watchers
from functions.chat.generation.draft_saver import draft_saver
from functions.chat.generation.generation import generations
from functions.chat.openai_api import endpoints as openai_endpoints
from functions.chat.opening.admission import admit
from functions.chat.opening.caller import Caller
from functions.chat.opening.unmetered import warn_if_unmetered
from shared.accounts import auth
from shared.database import threads
from shared.database.connection import Connection
from shared.errors import DatabaseNotConfigured, NotFound
from shared.llm import client as upstream
from shared.repos import turns
from shared.web.asgi import serve_web
from shared.web.endpoint import Request, Response, endpoint


class StopAnswer(BaseModel):
    message_id: str


@endpoint("POST", "/api/chat", body=ChatRequest)
async def create_answer(request: Request) -> Response:
    body = request.parse(ChatRequest)
    accepts_events = "text/event-stream" in request.headers.get("accept", "").lower()

    def format_of(source: AnswerSource) -> ChatFormat:
        return _format(source, request)

    return await deliver(request, body, format_of, streamed=body.stream or accepts_events)


@endpoint("POST", "/api/chat/stop", body=StopAnswer)
async def stop_answer(request: Request) -> Response:
    row = await _own_turn(request, request.parse(StopAnswer).message_id)
    await threads.transaction(turns.request_stop, row.message_id)
    draft_saver.stop(row.message_id)
    return Response.ok({"message_id": row.message_id})


@endpoint("GET", "/api/chat/streams/{message_id}")
async def watch_answer(request: Request) -> Response:
    row = await _own_turn(request, request.path["message_id"])
    source = await StoredAnswer.of_turn(row)
    answer = stream(source, _format(source, request), request)
    return Response.events(watchers.admit(row.subject, answer))


def _format(source: AnswerSource, request: Request) -> ChatFormat:
    """Only a stored answer can be resumed; a new one begins at its start."""
    last_event_id = request.headers.get("last-event-id", "") if source.is_stored else ""
    return ChatFormat(source.head, request.language, last_event_id=last_event_id)


async def _own_turn(request: Request, message_id: str) -> turns.Turn:
    """Raises: NotFound, also for a turn of another caller."""
    caller = await admit(request)
    if caller is None:
        raise DatabaseNotConfigured
    return await threads.read(_find_own_turn, caller, message_id)


def _find_own_turn(db: Connection, caller: Caller, message_id: str) -> turns.Turn:
    if caller.claims:
        auth.active_user(db, caller.claims)
    row = turns.find(db, message_id)
    # MySQL overlooks blanks at the end of an id.
    if row is None or row.subject != caller.subject or row.message_id != message_id:
        raise NotFound
    return row


async def _close() -> None:
    await generations.close()
    await upstream.close()


handler = serve_web(
    *(create_answer, stop_answer, watch_answer),
    *(openai_endpoints.create_completion, openai_endpoints.list_models),
    openai_endpoints.get_model,
    on_start=warn_if_unmetered,
    on_signal=generations.interrupt,
    on_stop=_close,
)
