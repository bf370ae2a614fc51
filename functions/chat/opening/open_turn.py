"""Opening of a turn: admit the caller, choose the model, build the prompt, reserve the cost."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from functions.chat.opening.admission import admit_message
from functions.chat.opening.attempt import OpeningAttempt
from functions.chat.opening.caller import Caller
from functions.chat.opening.duplicates import Duplicate, claim_key, earlier_request
from functions.chat.opening.model_choice import choose_model, max_tokens, model_options
from functions.chat.prompt.history import ask_history
from functions.chat.turn import LEASE_MS, AnswerHead, AnswerRequest, PreparedTurn
from shared import settings
from shared.config import load
from shared.database import threads
from shared.database.connection import Connection, DuplicateKey
from shared.errors import PromptTooLong, Unauthorized
from shared.ids import new_id
from shared.limits.idempotency import ClientKey, client_key
from shared.llm import routing
from shared.llm.estimate import estimate_prompt_tokens
from shared.money import charging, price_list
from shared.money.charging import NotPrepared, ReservationTerms
from shared.problems import Problem, detail
from shared.repos import turns
from shared.times import now_ms, shanghai_day
from shared.web.endpoint import Request

# Fields that say how to deliver the answer, or are the key themselves.
_NOT_ASKED = frozenset({"stream", "stream_options", "client_message_id"})
_UNLIMITED = 2**31  # where nothing is reserved, the upstream's limit is the only one


async def open_turn(request: Request, body: AnswerRequest) -> PreparedTurn | Duplicate:
    """Return a turn whose cost is reserved, or the earlier request that this one repeats.

    Raises:
        Unauthorized, InvalidToken, TokenExpired: the caller may not use the chat.
        TooManyRequests, DailyLimitReached, InsufficientBalance, TooManyStreams: a limit
            of the caller is reached.
        DatabaseNotConfigured: nothing can be counted, and that is not allowed here.
        NotFound: the conversation is not the caller's.
        InvalidRequest: the model is not offered.
        UnsupportedParameter: no upstream of the model knows a parameter, or takes pictures.
        Misconfigured: no model is enabled.
        IdempotencyMismatch: the key was used with another body.
        PromptTooLong: the prompt is longer than the model takes.
        DatabaseUnavailable: no turn is open, or it is released once the database is back.
    """
    caller = await admit_message(request)
    model = choose_model(body, await routing.models())
    await routing.require(model, body.options, with_pictures=body.has_pictures)
    longest_prompt = await routing.longest_prompt(model)
    if caller is None:
        return _uncounted(body, model, request.language, longest_prompt)
    if caller.user_id is None and body.conversation_id:
        raise Unauthorized  # guests have no conversations: an address does not prove ownership
    key = client_key(request, body.client_message_id, ignored=_NOT_ASKED)
    attempt = OpeningAttempt()
    admitted = _Admitted(caller, body, model, request.language, key, longest_prompt, attempt)
    return await attempt.run(
        partial(_open_prepared, _open, admitted), partial(_open_prepared, _open_again, admitted)
    )


@dataclass(frozen=True)
class _Admitted:
    """A request of an admitted caller, with its model and its idempotency key."""

    caller: Caller
    body: AnswerRequest
    model: str
    language: str
    key: ClientKey | None
    longest_prompt: int
    attempt: OpeningAttempt


async def _open_prepared(
    work: Callable[[Connection, "_Admitted"], PreparedTurn | Duplicate], admitted: "_Admitted"
) -> PreparedTurn | Duplicate:
    try:
        return await threads.transaction(work, admitted)
    except NotPrepared:
        caller, day = admitted.caller, shanghai_day(now_ms())
        await threads.transaction(charging.prepare, caller.subject, caller.user_id, day)
        return await threads.transaction(work, admitted)


def _uncounted(body: AnswerRequest, model: str, language: str, longest_prompt: int) -> PreparedTurn:
    head = AnswerHead(new_id(), None, model, now_ms())
    prompt = body.prompt([], language, longest_prompt)
    tokens = _counted(prompt, body, longest_prompt)
    return PreparedTurn(head, prompt, tokens, model_options(body), _UNLIMITED)


def _open(db: Connection, admitted: _Admitted) -> PreparedTurn | Duplicate:
    try:
        return _open_first(db, admitted)
    except DuplicateKey:
        duplicate = earlier_request(db, admitted.caller.subject, admitted.key)
        if duplicate is None or duplicate.message_id == admitted.attempt.message_id:
            raise
        return duplicate


def _open_first(db: Connection, admitted: _Admitted) -> PreparedTurn:
    """The statements that need no answer from one another are deferred: one round trip.

    Raises: DuplicateKey: this is not the first request with its key.
    """
    message_id, now = admitted.attempt.message_id, now_ms()
    claim_key(db, admitted.caller.subject, admitted.key, message_id=message_id, at_ms=now)
    history = _ask_history(db, admitted)
    row, terms = _new_row(admitted, message_id, now), _terms(db, admitted)
    begun = charging.begin(db, row, terms)
    prompt = _prompt(admitted, history())
    row = replace(row, prompt_tokens=_counted(prompt, admitted.body, admitted.longest_prompt))
    reserved = charging.reserve(db, row, terms, begun)
    admitted.attempt.check()
    return _prepared(admitted, prompt, reserved)


def _open_again(db: Connection, admitted: _Admitted) -> PreparedTurn | Duplicate:
    """Go on with the turn if an earlier transaction of this attempt has opened it."""
    row = turns.find(db, admitted.attempt.message_id)
    if row is None:
        return _open(db, admitted)
    return _prepared(admitted, _prompt(admitted, _ask_history(db, admitted)()), row)


def _ask_history(db: Connection, admitted: _Admitted) -> Callable[[], list[dict[str, Any]]]:
    return ask_history(db, admitted.body.conversation_id, admitted.caller.user_id)


def _prompt(admitted: _Admitted, history: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return admitted.body.prompt(history, admitted.language, admitted.longest_prompt)


def _prepared(
    admitted: _Admitted, prompt: list[dict[str, Any]], reserved: turns.Turn
) -> PreparedTurn:
    head, body = AnswerHead.of(reserved), admitted.body
    most_output = charging.most_output(reserved, max_tokens(body))
    options = model_options(body)
    return PreparedTurn(head, prompt, reserved.prompt_tokens, options, most_output, reserved)


def _counted(prompt: list[dict[str, Any]], body: AnswerRequest, longest: int) -> int:
    """The tokens of the prompt. Raises: PromptTooLong."""
    tokens = estimate_prompt_tokens(prompt, body.options)
    if tokens > longest:
        problem = Problem(
            f"about {tokens} tokens, and at most {longest} are allowed",
            f"约 {tokens} 个 token，最多允许 {longest} 个",
        )
        raise PromptTooLong(details=[detail("body.messages", problem)])
    return tokens


def _new_row(admitted: _Admitted, message_id: str, now: int) -> turns.Turn:
    """A turn whose prompt is not counted yet.

    Guests, and requests without a question to store, get no conversation.
    """
    caller, body = admitted.caller, admitted.body
    is_stored = caller.user_id is not None and body.question is not None
    return turns.Turn(
        message_id=message_id,
        subject=caller.subject,
        user_id=caller.user_id,
        conversation_id=(body.conversation_id or message_id) if is_stored else None,
        question=body.question if is_stored else None,
        title=body.title if is_stored else None,
        model=admitted.model,
        payment="free",
        day=shanghai_day(now),
        daily_limit=caller.daily_limit,
        reserved_fen=0,
        price="",
        prompt_tokens=0,
        lease_until_ms=now + LEASE_MS,
        created_at_ms=now,
    )


def _terms(db: Connection, admitted: _Admitted) -> ReservationTerms:
    """The price is asked for at once if it is expected to be needed, else when it is needed."""
    caller, limit = admitted.caller, load(settings.Chat).max_streams_per_user
    expects_payment = caller.user_id is not None and caller.used_today >= caller.daily_limit
    if expects_payment:
        price = price_list.ask_current(db, admitted.model)
    else:
        price = partial(price_list.current, db, admitted.model)
    return ReservationTerms(limit, price, max_tokens(admitted.body), expects_payment)
