"""The asking half of a turn: who may ask, and what the model is sent."""

from dataclasses import dataclass, field

from functions.chat import guests
from functions.chat.question import Question
from shared import auth, db, db_async, settings
from shared.config import load
from shared.db import Connection
from shared.errors import DatabaseNotConfigured, InvalidRequest, Unauthorized
from shared.http import Request
from shared.ids import new_id
from shared.repos import conversations
from shared.times import now_ms
from shared.tokens import Claims

_CONTEXT_MESSAGES = 20  # ten turns


@dataclass(frozen=True)
class Place:
    """The conversation a turn belongs to."""

    user_id: str
    conversation_id: str
    is_new: bool


@dataclass(frozen=True)
class Turn:
    """`place` is None where nothing is kept, `guest` for everybody with an account."""

    question: Question
    prompt: list[dict[str, str]]
    model: str
    place: Place | None = None
    guest: guests.Pass | None = None
    message_id: str = field(default_factory=new_id)
    started_ms: int = field(default_factory=now_ms)

    @property
    def identity(self) -> dict[str, object]:
        conversation_id = self.place.conversation_id if self.place else None
        return {
            "message_id": self.message_id,
            "conversation_id": conversation_id,
            "model": self.model,
        }


async def begin(request: Request, question: Question) -> Turn:
    """Decide who may ask, and gather what was said before.

    Raises:
        Unauthorized, DailyLimitReached: this caller may not ask, or not any more today.
        DatabaseNotConfigured: nothing could be counted, and that is not allowed here.
        NotFound: the conversation is not the caller's.
        InvalidRequest: the model is not one of ours.
    """
    model = _model(question)
    claims = auth.claims_of(request)
    if not db.is_configured():
        return _unmetered(request, question, model)
    if claims is None:
        return await _guest(request, question, model)
    place, history = await db_async.read(_place, claims, question)
    return Turn(question, question.prompt(history, request.language), model, place)


def _model(question: Question) -> str:
    ours = load(settings.Model).name
    if question.model not in (None, "", ours):
        raise InvalidRequest(details=[{"field": "body.model", "problem": f"must be {ours}"}])
    return ours


def _unmetered(request: Request, question: Question, model: str) -> Turn:
    if not load(settings.Chat).allow_unmetered:
        raise DatabaseNotConfigured
    return Turn(question, question.prompt([], request.language), model)


async def _guest(request: Request, question: Question, model: str) -> Turn:
    """Guests have no conversations: nobody could tell whose they are."""
    if question.conversation_id:
        raise Unauthorized
    admitted = await guests.admit(request.client_ip)
    return Turn(question, question.prompt([], request.language), model, guest=admitted)


def _place(
    connection: Connection, claims: Claims, question: Question
) -> tuple[Place, list[dict[str, str]]]:
    user_id, conversation_id = auth.active_user(connection, claims).id, question.conversation_id
    if conversation_id is None:
        return Place(user_id, new_id(), is_new=True), []
    conversations.get_for(connection, conversation_id, user_id)
    said = conversations.list_last(connection, conversation_id, count=_CONTEXT_MESSAGES)
    return Place(user_id, conversation_id, is_new=False), [vars(message) for message in said]
