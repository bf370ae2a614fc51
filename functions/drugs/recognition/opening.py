"""Opening of a recognition: store the key, look at the pictures, reserve the cost."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from functions.drugs.logic import require_pictures
from functions.drugs.recognition import prompt
from functions.drugs.recognition.model_choice import SeeingModel
from functions.drugs.recognition.prompt import MOST_OUTPUT_TOKENS, Message
from shared import settings
from shared.config import load
from shared.database.connection import Connection, DuplicateKey
from shared.database.transactions import transaction
from shared.errors import DatabaseUnavailable, OutcomeUnknown
from shared.ids import new_id
from shared.limits.idempotency import ClientKey, first_result
from shared.llm.estimate import estimate_prompt_tokens, require_short
from shared.llm.pictures import StoredPicture
from shared.money import charging, price_list
from shared.money.charging import NotPrepared, ReservationTerms
from shared.repos import idempotency, media, turns
from shared.repos.idempotency import IdempotencyKey
from shared.repos.turns import Turn
from shared.times import now_ms, shanghai_day

# The sweeper may end the turn after it. The platform ends the function before: see s.yaml.
LEASE_MS = 130_000
_FIND_OUT_SECONDS = 4.0
_PAUSE_SECONDS = 0.2
_AGAIN_TOKENS = 200  # of the complaint about a reply that is not valid


@dataclass(frozen=True)
class RecognitionRequest:
    """A recognition of an admitted user. `message_id` is that of its turn in every attempt."""

    user_id: str
    media_ids: Sequence[str]
    model: SeeingModel
    key: ClientKey | None
    message_id: str


@dataclass(frozen=True)
class OpenRecognition:
    """A turn whose cost is reserved, and its prompt."""

    turn: Turn
    messages: Sequence[Message]
    options: Mapping[str, object]


Opened = OpenRecognition | Mapping[str, object]


def new_request(
    user_id: str, ids: Sequence[str], model: SeeingModel, key: ClientKey | None
) -> RecognitionRequest:
    return RecognitionRequest(user_id, list(dict.fromkeys(ids)), model, key, new_id())


def open_recognition(request: RecognitionRequest) -> Opened:
    """Reserve the cost and open the turn; the result of an earlier request with the key, if any.

    Raises:
        NotFound: a picture is missing, or another user's.
        InvalidRequest: a file is no picture, or the model cannot be given it.
        PromptTooLong, DailyLimitReached, InsufficientBalance, TooManyStreams.
        IdempotencyMismatch; InProgress: the first request with the key still runs.
        DatabaseUnavailable: no turn is open, or the sweeper releases it.

    If the reply to COMMIT was lost, a further attempt finds out whether the turn is open. A
    duplicate key is then this request's own: its commit has just become visible.
    """
    until = time.monotonic() + _FIND_OUT_SECONDS
    while True:
        try:
            return _open_prepared(request)
        except (OutcomeUnknown, DuplicateKey):
            if time.monotonic() > until:
                raise DatabaseUnavailable(
                    reason="it is not known whether the turn is open"
                ) from None
            time.sleep(_PAUSE_SECONDS)


def _open_prepared(request: RecognitionRequest) -> Opened:
    try:
        return transaction(_open, request)
    except NotPrepared:
        day = shanghai_day(now_ms())
        transaction(charging.prepare, request.user_id, request.user_id, day)
        return transaction(_open, request)


def _open(db: Connection, request: RecognitionRequest) -> Opened:
    """Go on with the turn if an earlier transaction of this request has opened it."""
    opened = turns.find(db, request.message_id)
    if opened is not None:
        return _prepared(request, opened, _messages(db, request))
    earlier = _claim(db, request)
    if earlier is not None:
        return earlier
    messages = _messages(db, request)
    row, terms = _row(request, messages), _terms(db, request)
    return _prepared(request, charging.reserve(db, row, terms), messages)


def _claim(db: Connection, request: RecognitionRequest) -> Mapping[str, object] | None:
    """Store the key, if there is one; the result of the first request that had it."""
    key = request.key
    if key is None:
        return None
    mine = IdempotencyKey(request.user_id, key.text, key.request_hash, request.message_id, now_ms())
    earlier = idempotency.claim(db, mine)
    if earlier and earlier.message_id == request.message_id:
        raise OutcomeUnknown(reason="the commit has just become visible")
    return None if earlier is None else first_result(earlier, key)


def _messages(db: Connection, request: RecognitionRequest) -> list[Message]:
    found = media.list_by_ids(db, request.media_ids, request.user_id)
    require_pictures(found)
    request.model.pictures.require_deliverable(found)
    pictures = [StoredPicture(one.object_key, one.content_type, one.size) for one in found]
    return prompt.messages(pictures)


def _row(request: RecognitionRequest, messages: Sequence[Message]) -> Turn:
    """Its prompt counts as the longer one, that asks again after a reply that is not valid.

    Raises: PromptTooLong.
    """
    now, options = now_ms(), _options(request.model)
    tokens = estimate_prompt_tokens(messages, options, request.model.pictures.rule)
    tokens += MOST_OUTPUT_TOKENS + _AGAIN_TOKENS
    require_short(tokens, request.model.longest_prompt, field="body.media_ids")
    return Turn(
        message_id=request.message_id,
        subject=request.user_id,
        user_id=request.user_id,
        conversation_id=None,
        question=None,
        model=request.model.name,
        payment="free",
        day=shanghai_day(now),
        daily_limit=load(settings.Quota).daily_free_messages,
        reserved_fen=0,
        price="",
        prompt_tokens=tokens,
        lease_until_ms=now + LEASE_MS,
        created_at_ms=now,
    )


def _terms(db: Connection, request: RecognitionRequest) -> ReservationTerms:
    price = partial(price_list.current, db, request.model.name)
    return ReservationTerms(load(settings.Chat).max_streams_per_user, price, MOST_OUTPUT_TOKENS)


def _options(model: SeeingModel) -> dict[str, object]:
    return {
        "max_tokens": MOST_OUTPUT_TOKENS,
        "response_format": prompt.response_format(model.pictures.urls),
    }


def _prepared(
    request: RecognitionRequest, turn: Turn, messages: Sequence[Message]
) -> OpenRecognition:
    return OpenRecognition(turn, messages, _options(request.model))
