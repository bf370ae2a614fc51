"""Requests that repeat an idempotency key: one effect, and the first answer for all of them."""

import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from shared import settings
from shared.config import load
from shared.database.connection import Connection
from shared.errors import IdempotencyMismatch, InProgress, InvalidRequest
from shared.ids import new_id
from shared.repos import idempotency
from shared.repos.idempotency import Key
from shared.times import now_ms
from shared.web.endpoint import Request

_LONGEST = 255


@dataclass(frozen=True)
class ClientKey:
    """A key that a client chose, and a hash of what it was sent with."""

    text: str
    request_hash: str


def client_key(request: Request, instead: str | None = None) -> ClientKey | None:
    """The key in the header, or another that does the same. Raises: InvalidRequest."""
    text = request.headers.get("idempotency-key") or instead
    if not text:
        return None
    if len(text) > _LONGEST:
        problem = f"must be at most {_LONGEST} characters"
        raise InvalidRequest(details=[{"field": "header.idempotency-key", "problem": problem}])
    return ClientKey(text, _hash(request))


def _hash(request: Request) -> str:
    """Keyed, because a body may hold a password that a plain hash would give away."""
    secret = load(settings.Tokens).secret.reveal().encode()
    sent = b"request:" + request.url_path.encode() + b"\n" + request.body
    return hmac.new(secret, sent, hashlib.sha256).hexdigest()


def once(
    db: Connection,
    subject: str,
    key: ClientKey | None,
    work: Callable[[], Mapping[str, object]],
    *,
    secrets: Mapping[str, object] | None = None,
) -> dict[str, object]:
    """Do the work in this transaction and keep what it answers; asked again, only answer.

    A twin that is still at it is waited for. `secrets` are told with the first
    answer and kept nowhere, so a repetition has null in their place.

    Raises: IdempotencyMismatch, InProgress.
    """
    told = dict(secrets or {})
    if key is None:
        return {**work(), **told}
    mine = Key(subject, key.text, key.request_hash, new_id(), now_ms())
    earlier = idempotency.claim(db, mine)
    if earlier is None:
        answer = work()
        kept = {**answer, **dict.fromkeys(told)}
        idempotency.record_answer(db, mine.message_id, json.dumps(kept, ensure_ascii=False))
        return {**answer, **told}
    return _first_answer(earlier, key)


def _first_answer(earlier: Key, key: ClientKey) -> dict[str, Any]:
    if earlier.request_hash != key.request_hash:
        raise IdempotencyMismatch
    if earlier.answer is None:
        raise InProgress
    answer: dict[str, Any] = json.loads(earlier.answer)
    return answer
