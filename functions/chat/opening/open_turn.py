"""Opening of a turn: admit the caller, choose the model, build the prompt, reserve the cost."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from functions.chat.opening.admission import admit_message
from functions.chat.opening.attempt import OpeningAttempt
from functions.chat.opening.caller import Caller
from functions.chat.opening.duplicates import Duplicate, claim_key, earlier_request
from functions.chat.opening.media import question_media, require_owner, with_usable_media
from functions.chat.opening.model_choice import choose_model, max_tokens, model_options
from functions.chat.prompt.context import Prompt, Room
from functions.chat.prompt.history import History, ask_history
from functions.chat.prompt.message import Message
from functions.chat.turn import LEASE_MS, AnswerHead, AnswerRequest, PreparedTurn
from shared import settings
from shared.config import load
from shared.credentials import Credentials
from shared.database import threads
from shared.database.connection import Connection, DuplicateKey
from shared.errors import Unauthorized
from shared.ids import new_id
from shared.limits.idempotency import ClientKey, client_key
from shared.llm import routing
from shared.llm.estimate import NARROW_PER_TOKEN, estimate_prompt_tokens, require_short
from shared.llm.picture_delivery import PictureTerms
from shared.money import charging, price_list
from shared.money.charging import NotPrepared, ReservationTerms
from shared.repos import turns
from shared.repos.message_media import PromptMedia
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
        NotFound: the conversation is not the caller's, or one of the media.
        InvalidRequest: the model is not offered, or is not given such media.
        ModelCannotSee: the question has a picture, and the model takes none.
        UnsupportedParameter: no upstream of the model knows a parameter, or takes pictures.
        Misconfigured: no model is enabled.
        IdempotencyMismatch: the key was used with another body.
        PromptTooLong: the prompt is longer than the model takes.
        DatabaseUnavailable: no turn is open, or it is released once the database is back.
    """
    caller = await admit_message(request)
    model = choose_model(body, await routing.models())
    await routing.require(model, body.options, with_pictures=body.has_pictures)
    require_owner(caller, body)
    pictures = await routing.picture_terms(model)
    room = Room(await routing.longest_prompt(model), pictures.rule)
    if caller is None:
        return _uncounted(body, model, request.language, room)
    if caller.user_id is None and body.conversation_id:
        raise Unauthorized  # guests have no conversations: an address does not prove ownership
    key = client_key(request, body.client_message_id, ignored=_NOT_ASKED)
    attempt = OpeningAttempt()
    admitted = _Admitted(
        caller, body, model, request.language, key, room, pictures, attempt, request.credentials
    )
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
    room: Room
    pictures: PictureTerms
    attempt: OpeningAttempt
    called_with: Credentials | None

    @property
    def characters(self) -> int:
        """Of a document: one more than the prompt could hold of it."""
        budget = min(load(settings.Chat).context_tokens, self.room.most_tokens)
        return NARROW_PER_TOKEN * budget + 1


async def _open_prepared(
    work: Callable[[Connection, "_Admitted"], PreparedTurn | Duplicate], admitted: "_Admitted"
) -> PreparedTurn | Duplicate:
    try:
        return await threads.transaction(work, admitted)
    except NotPrepared:
        caller, day = admitted.caller, shanghai_day(now_ms())
        await threads.transaction(charging.prepare, caller.subject, caller.user_id, day)
        return await threads.transaction(work, admitted)


def _uncounted(body: AnswerRequest, model: str, language: str, room: Room) -> PreparedTurn:
    head = AnswerHead(new_id(), None, model, now_ms())
    prompt = body.prompt([], [], language, room).messages
    tokens = _counted(prompt, body, room)
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
    media = _question_media(db, admitted)
    history = _ask_history(db, admitted)
    row, terms = _new_row(admitted, message_id, now), _terms(db, admitted)
    begun = charging.begin(db, row, terms)
    prompt = _prompt(admitted, history, media)
    tokens = _counted(prompt.messages, admitted.body, admitted.room)
    row = replace(row, prompt_tokens=tokens, is_truncated=int(prompt.is_truncated))
    reserved = charging.reserve(db, row, terms, begun)
    admitted.attempt.check()
    return _prepared(admitted, prompt.messages, reserved)


def _open_again(db: Connection, admitted: _Admitted) -> PreparedTurn | Duplicate:
    """Go on with the turn if an earlier transaction of this attempt has opened it."""
    row = turns.find(db, admitted.attempt.message_id)
    if row is None:
        return _open(db, admitted)
    history, media = _ask_history(db, admitted), _question_media(db, admitted)
    return _prepared(admitted, _prompt(admitted, history, media).messages, row)


def _ask_history(db: Connection, admitted: _Admitted) -> History:
    conversation_id, user_id = admitted.body.conversation_id, admitted.caller.user_id
    return ask_history(db, conversation_id, user_id, characters=admitted.characters)


def _question_media(db: Connection, admitted: _Admitted) -> list[PromptMedia]:
    """Read before anything is reserved, and after the key: a repetition does not need them."""
    return question_media(
        db,
        admitted.body.media_ids,
        admitted.caller.subject,
        admitted.pictures,
        characters=admitted.characters,
    )


def _prompt(admitted: _Admitted, history: History, media: list[PromptMedia]) -> Prompt:
    earlier = with_usable_media(history(), media, admitted.pictures)
    return admitted.body.prompt(earlier, media, admitted.language, admitted.room)


def _prepared(admitted: _Admitted, prompt: list[Message], reserved: turns.Turn) -> PreparedTurn:
    head, body = AnswerHead.of(reserved), admitted.body
    return PreparedTurn(
        head,
        prompt,
        reserved.prompt_tokens,
        model_options(body),
        charging.most_output(reserved, max_tokens(body)),
        reserved,
        admitted.called_with,
    )


def _counted(prompt: list[Message], body: AnswerRequest, room: Room) -> int:
    """The tokens of the prompt. Raises: PromptTooLong."""
    tokens = estimate_prompt_tokens(prompt, body.options, room.rule)
    require_short(tokens, room.most_tokens, field="body.messages")
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
        media_ids=",".join(body.media_ids) or None,
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
