"""Idempotency keys: repeated requests have one effect and get the first response."""

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
from shared.repos.idempotency import IdempotencyKey
from shared.times import now_ms
from shared.web.endpoint import Request

_LONGEST = 255


@dataclass(frozen=True)
class ClientKey:
    """A client's key, and the hash of the request that it came with."""

    text: str
    request_hash: str


def client_key(request: Request, fallback: str | None = None) -> ClientKey | None:
    """The key of the header, else `fallback`, if there is one. Raises: InvalidRequest."""
    text = request.headers.get("idempotency-key") or fallback
    if not text:
        return None
    if len(text) > _LONGEST:
        problem = f"must be at most {_LONGEST} characters"
        raise InvalidRequest(details=[{"field": "header.idempotency-key", "problem": problem}])
    return ClientKey(text, _hash(request))


def _hash(request: Request) -> str:
    """A keyed hash: a plain hash would allow guessing a password in the body."""
    secret = load(settings.Tokens).secret.reveal().encode()
    message = b"request:" + request.url_path.encode() + b"\n" + request.body
    return hmac.new(secret, message, hashlib.sha256).hexdigest()


def once(
    db: Connection,
    subject: str,
    key: ClientKey | None,
    work: Callable[[], Mapping[str, object]],
    *,
    secrets: Mapping[str, object] | None = None,
) -> dict[str, object]:
    """Run `work` in this transaction and store its result; a repetition returns that.

    A repetition waits for the transaction of the first request. `secrets` are returned
    with the first response only and never stored; repetitions have null instead.

    Raises: IdempotencyMismatch; InProgress: the key belongs to a chat message.
    """
    unstored = dict(secrets or {})
    if key is None:
        return {**work(), **unstored}
    mine = IdempotencyKey(subject, key.text, key.request_hash, new_id(), now_ms())
    earlier = idempotency.claim(db, mine)
    if earlier is None:
        result = work()
        stored = {**result, **dict.fromkeys(unstored)}
        idempotency.record_answer(db, mine.message_id, json.dumps(stored, ensure_ascii=False))
        return {**result, **unstored}
    return _first_result(earlier, key)


def _first_result(earlier: IdempotencyKey, key: ClientKey) -> dict[str, Any]:
    if earlier.request_hash != key.request_hash:
        raise IdempotencyMismatch
    if earlier.answer is None:
        raise InProgress
    result: dict[str, Any] = json.loads(earlier.answer)
    return result
