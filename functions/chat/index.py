"""POST /api/chat, POST /api/chat/stop, GET /api/chat/streams/{message_id}: talk to the model."""

from pydantic import BaseModel

from functions.chat import openai_endpoints
from functions.chat.caller import Caller, admit
from functions.chat.draft_saver import journal
from functions.chat.ending import Ended, note
from functions.chat.generation import produce, productions
from functions.chat.question import Question
from functions.chat.replay import as_told, first_answer, said_so_far
from functions.chat.sse_writer import as_it_grows, as_stored
from functions.chat.turn import Twin
from functions.chat.watchers import watchers
from shared.accounts import auth
from shared.database import threads
from shared.database.connection import Connection
from shared.errors import DatabaseNotConfigured, NotFound
from shared.llm import client as upstream
from shared.repos import turns
from shared.web import sse
from shared.web.asgi import serve_web
from shared.web.endpoint import Request, Response, endpoint

_PING_SECONDS = 10


@endpoint("POST", "/api/chat")
async def chat(request: Request) -> Response:
    question = request.parse(Question)
    streamed = question.stream or "text/event-stream" in request.headers.get("accept", "").lower()
    production = await produce(request, question, thinking=streamed)
    if isinstance(production, Twin):
        return await _again(production, request, streamed=streamed)
    if streamed:
        return Response.events(sse.with_pings(as_it_grows(production, request), _PING_SECONDS))
    return _whole(await production.whole(), request)


def _whole(ended: Ended, request: Request) -> Response:
    note(ended.failure, request)
    return Response.ok(
        {"reply": ended.text, **ended.identity, **ended.outcome, "ai_generated": True}
    )


async def _again(twin: Twin, request: Request, *, streamed: bool) -> Response:
    """The first answer once more. One that failed has given its key back, so there is one."""
    row, said = await first_answer(twin)
    if streamed:
        return Response.events(sse.with_pings(as_stored(row, said, request), _PING_SECONDS))
    return _whole(as_told(row, said), request)


class Stop(BaseModel):
    message_id: str


@endpoint("POST", "/api/chat/stop")
async def stop(request: Request) -> Response:
    row = await _own(request, request.parse(Stop).message_id)
    await threads.transaction(turns.request_stop, row.message_id)
    journal.stop(row.message_id)
    return Response.ok({"message_id": row.message_id})


@endpoint("GET", "/api/chat/streams/{message_id}")
async def watch(request: Request) -> Response:
    row = await _own(request, request.path["message_id"])
    said = await said_so_far(row)
    watchers.admit(row.subject)
    told = watchers.counted(row.subject, as_stored(row, said, request))
    return Response.events(sse.with_pings(told, _PING_SECONDS))


async def _own(request: Request, message_id: str) -> turns.Turn:
    """Raises: NotFound, also for an answer to somebody else."""
    caller = await admit(request)
    if caller is None:
        raise DatabaseNotConfigured
    return await threads.read(_find_own, caller, message_id)


def _find_own(db: Connection, caller: Caller, message_id: str) -> turns.Turn:
    if caller.claims:
        auth.active_user(db, caller.claims)
    row = turns.find(db, message_id)
    if row is None or row.subject != caller.subject:
        raise NotFound
    return row


async def _close() -> None:
    await productions.concluded()
    await upstream.close()


handler = serve_web(
    *(chat, stop, watch, openai_endpoints.complete, openai_endpoints.models),
    on_signal=productions.interrupt,
    on_stop=_close,
)
