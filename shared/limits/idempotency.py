"""Idempotency keys: repeated requests have one effect and get the first response."""

import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from shared import settings
from shared.chat_rules import KEY_CHARACTERS
from shared.config import load
from shared.database.connection import Connection
from shared.errors import IdempotencyMismatch, InProgress, InvalidRequest, MalformedJson
from shared.ids import new_id
from shared.problems import Problem, detail
from shared.repos import idempotency
from shared.repos.idempotency import IdempotencyKey
from shared.times import now_ms
from shared.web.endpoint import Request

_HASHED = "sha256:"


@dataclass(frozen=True)
class ClientKey:
    """A client's key as it is stored, and the hash of the request that it came with.

    `bytes_hash` is the hash of the body's bytes, which versions before 0.5 store. Keys last
    a day; so it is not needed any more where 0.5 has been running for a day.
    """

    text: str
    request_hash: str
    bytes_hash: str

    def is_of(self, earlier: IdempotencyKey) -> bool:
        """Say whether the earlier request with this key asked for the same."""
        return earlier.request_hash in (self.request_hash, self.bytes_hash)


def client_key(
    request: Request,
    fallback: str | None = None,
    *,
    ignored: frozenset[str] = frozenset(),
    asked: object = None,
) -> ClientKey | None:
    """The key of the header, else `fallback`, if there is one.

    `ignored` are fields of the body that do not say what is asked. `asked` replaces the body,
    where the body has more than may be stored, even as a hash.

    Raises: InvalidRequest, MalformedJson.
    """
    text = request.headers.get("idempotency-key") or fallback
    if not text:
        return None
    if len(text) > KEY_CHARACTERS:
        problem = Problem(
            f"must be at most {KEY_CHARACTERS} characters", f"最多 {KEY_CHARACTERS} 个字符"
        )
        raise InvalidRequest(details=[detail("header.idempotency-key", problem)])
    body = _canonical(request, ignored) if asked is None else _compact(asked)
    return ClientKey(_stored(text), _hash(request, body), _hash(request, request.body))


def _stored(text: str) -> str:
    """The key itself; its hash if it ends with a blank, which MySQL overlooks at the end."""
    if text.endswith(" ") or text.startswith(_HASHED):
        return _HASHED + hashlib.sha256(text.encode()).hexdigest()
    return text


def _canonical(request: Request, ignored: frozenset[str]) -> bytes:
    """The body as JSON that does not depend on blanks, escapes or the order of fields.

    Raises: MalformedJson.
    """
    if not request.body:
        return b""
    asked = request.json()
    if isinstance(asked, dict):
        asked = {name: value for name, value in asked.items() if name not in ignored}
    try:
        return _compact(asked)
    except RecursionError:
        raise MalformedJson from None


def _compact(document: object) -> bytes:
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


def _hash(request: Request, body: bytes) -> str:
    """A keyed hash: a plain hash would allow guessing a password in the body."""
    secret = load(settings.Tokens).secret.reveal().encode()
    message = b"request:" + request.url_path.encode() + b"\n" + body
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
    return first_result(earlier, key)


def first_result(earlier: IdempotencyKey, key: ClientKey) -> dict[str, Any]:
    """The stored result of the first request with the key.

    Raises: IdempotencyMismatch; InProgress: it has none yet, or is a chat message.
    """
    if not key.is_of(earlier):
        raise IdempotencyMismatch
    if earlier.answer is None:
        raise InProgress
    result: dict[str, Any] = json.loads(earlier.answer)
    return result
