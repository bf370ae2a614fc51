"""One turn: what is asked, by whom, and what it is allowed to cost."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Protocol

from functions.chat.caller import Caller, admit_message
from shared import settings
from shared.config import load
from shared.database import threads
from shared.database.connection import Connection
from shared.errors import (
    IdempotencyMismatch,
    InvalidRequest,
    Misconfigured,
    Unauthorized,
)
from shared.ids import new_id
from shared.limits.idempotency import ClientKey, client_key
from shared.llm import routing
from shared.llm.estimate import estimate_prompt_tokens
from shared.money import charging, price_list
from shared.money.charging import NotPrepared, ReservationTerms
from shared.repos import conversations, idempotency, turns
from shared.repos.idempotency import Key
from shared.times import now_ms, shanghai_day
from shared.web.endpoint import Request

LEASE_MS = 30_000
_CONTEXT_MESSAGES = 20  # ten turns


class Asked(Protocol):
    """A question, through whichever door it came."""

    @property
    def model(self) -> str | None: ...
    @property
    def conversation_id(self) -> str | None: ...
    @property
    def client_message_id(self) -> str | None: ...
    @property
    def max_tokens(self) -> int | None: ...
    @property
    def options(self) -> Mapping[str, object]: ...
    @property
    def text(self) -> str | None:
        """What becomes part of a conversation, or None: nothing does."""

    def prompt(self, history: list[dict[str, Any]], fallback: str) -> list[dict[str, Any]]: ...


@dataclass(frozen=True)
class Turn:
    """`row` is None where nothing is counted and nothing kept."""

    message_id: str
    prompt: list[dict[str, Any]]
    model: str
    options: Mapping[str, object]
    row: turns.Turn | None = None
    started_ms: int = field(default_factory=now_ms)

    @property
    def identity(self) -> dict[str, object]:
        if self.row:
            return identity_of(self.row)
        return {"message_id": self.message_id, "conversation_id": None, "model": self.model}

    @property
    def prompt_tokens(self) -> int:
        return estimate_prompt_tokens(self.prompt)


def identity_of(row: turns.Turn) -> dict[str, object]:
    return {
        "message_id": row.message_id,
        "conversation_id": row.conversation_id,
        "model": row.model,
    }


@dataclass(frozen=True)
class Twin:
    """An earlier request with the same idempotency key; its answer is this one's too."""

    message_id: str


async def begin(request: Request, question: Asked) -> Turn | Twin:
    """Decide who may ask, gather what was said before, and reserve what it may cost.

    Raises:
        Unauthorized, InvalidToken, TokenExpired: this caller may not ask.
        TooManyRequests, DailyLimitReached, InsufficientBalance, TooManyStreams: not now.
        DatabaseNotConfigured: nothing could be counted, and that is not allowed here.
        NotFound: the conversation is not the caller's.
        InvalidRequest: the model is not one of ours.
        Misconfigured: there is none.
        IdempotencyMismatch: the key was used for something else.
    """
    caller = await admit_message(request)
    model = _model(question, await routing.models())
    if caller is None:
        prompt = question.prompt([], request.language)
        return Turn(new_id(), prompt, model, _options(question))
    if caller.user_id is None and question.conversation_id:
        raise Unauthorized  # guests have no conversations: nobody could tell whose they are
    key = client_key(request, question.client_message_id)
    asking = _Asking(caller, question, model, request.language, key)
    try:
        return await threads.transaction(_open, asking)
    except NotPrepared:
        await threads.transaction(
            charging.prepare, caller.subject, caller.user_id, shanghai_day(now_ms())
        )
        return await threads.transaction(_open, asking)


def _options(question: Asked) -> dict[str, object]:
    """What is reserved covers no more than `max_tokens`, so that is always sent."""
    return {**question.options, "max_tokens": _max_tokens(question)}


def _max_tokens(question: Asked) -> int:
    most = load(settings.Chat).max_tokens
    return min(question.max_tokens or most, most)


def _model(question: Asked, ours: Sequence[str]) -> str:
    if not ours:
        raise Misconfigured(problems=["no model is enabled"])
    if question.model and question.model not in ours:
        problem = f"must be {' or '.join(ours)}"
        raise InvalidRequest(details=[{"field": "body.model", "problem": problem}])
    return question.model or ours[0]


@dataclass(frozen=True)
class _Asking:
    caller: Caller
    question: Asked
    model: str
    language: str
    key: ClientKey | None


def _open(connection: Connection, asking: _Asking) -> Turn | Twin:
    message_id, now = new_id(), now_ms()
    twin = _twin(connection, asking, message_id, now)
    if twin:
        return twin
    caller, question = asking.caller, asking.question
    prompt = question.prompt(_history(connection, asking), asking.language)
    turn = Turn(message_id, prompt, asking.model, _options(question))
    keeper = caller.user_id if question.text is not None else None
    price = partial(price_list.current, connection, asking.model)
    reserved = charging.reserve(
        connection,
        turns.Turn(
            message_id=message_id,
            subject=caller.subject,
            user_id=caller.user_id,
            conversation_id=(question.conversation_id or message_id) if keeper else None,
            question=question.text if keeper else None,
            model=asking.model,
            payment="free",
            day=shanghai_day(now),
            daily_limit=caller.daily_limit,
            reserved_fen=0,
            price="",
            prompt_tokens=turn.prompt_tokens,
            lease_until_ms=now + LEASE_MS,
            created_at_ms=now,
        ),
        ReservationTerms(load(settings.Chat).max_streams_per_user, price, _max_tokens(question)),
    )
    return replace(turn, row=reserved, started_ms=now)


def _twin(connection: Connection, asking: _Asking, message_id: str, now: int) -> Twin | None:
    if asking.key is None:
        return None
    mine = Key(asking.caller.subject, asking.key.text, asking.key.request_hash, message_id, now)
    earlier = idempotency.claim(connection, mine)
    if earlier is None:
        return None
    if earlier.request_hash != mine.request_hash:
        raise IdempotencyMismatch
    return Twin(earlier.message_id)


def _history(connection: Connection, asking: _Asking) -> list[dict[str, Any]]:
    user_id, conversation_id = asking.caller.user_id, asking.question.conversation_id
    if user_id is None or conversation_id is None:
        return []
    conversations.get_for(connection, conversation_id, user_id)
    said = conversations.list_last(connection, conversation_id, count=_CONTEXT_MESSAGES)
    return [vars(message) for message in said]
