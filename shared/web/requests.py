"""Requests and responses: the input and the output of every endpoint."""

import json
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from shared import settings
from shared.config import load
from shared.credentials import Credentials
from shared.errors import AppError, InvalidToken, MalformedJson
from shared.problems import in_language
from shared.web.client_ip import address, language
from shared.web.validation import validated

if TYPE_CHECKING:  # health ships without pydantic
    from pydantic import BaseModel

    Model = TypeVar("Model", bound=BaseModel)

EVERYWHERE = frozenset({"lang"})  # query parameters of all routes


@dataclass(frozen=True)
class Request:
    """One HTTP request. Header names are in lower case; `notes` go to the access log.

    `path` holds the named segments of `url_path`: "user_id" of "/api/admin/users/{user_id}".
    `credentials` are the role's, where the platform passed them with the event or in headers.
    Where it is strict, names that no model knows are refused.
    """

    method: str
    url_path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    source_ip: str = ""
    request_id: str = ""
    notes: dict[str, object] = field(default_factory=dict)
    credentials: Credentials | None = None
    path: Mapping[str, str] = field(default_factory=dict)
    is_strict: bool = True

    @property
    def language(self) -> str:
        return language(self.query.get("lang", ""), self.headers.get("accept-language", ""))

    @property
    def client_ip(self) -> str:
        forwarded = self.headers.get("x-forwarded-for", "")
        return address(self.source_ip, forwarded, load(settings.Http).trusted_proxy_hops)

    @property
    def bearer_token(self) -> str | None:
        """The token of the Authorization header; None without one. Raises: InvalidToken."""
        header = self.headers.get("authorization", "").strip()
        if not header:
            return None
        scheme, _, token = header.partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise InvalidToken
        return token.strip()

    def json(self, parse_float: Callable[[str], object] | None = None) -> object:
        """`parse_float` reads numbers with decimals or an exponent; by default they are floats.

        Raises: MalformedJson, also for NaN, lone surrogates and absurd nesting.
        """
        try:
            text = self.body.decode("utf-8-sig")
            value = json.loads(text, parse_float=parse_float, parse_constant=_refuse_constant)
            if "\\ud" in text.lower():
                json.dumps(value, ensure_ascii=False).encode()
        except (ValueError, RecursionError):
            raise MalformedJson from None
        return value

    def parse(
        self, model: "type[Model]", *, parse_float: Callable[[str], object] | None = None
    ) -> "Model":
        """Raises: MalformedJson, InvalidRequest."""
        return validated(model, self.json(parse_float), "body", strict=self.is_strict)

    def parse_query(self, model: "type[Model]") -> "Model":
        """Raises: InvalidRequest."""
        named = {name: text for name, text in self.query.items() if name not in EVERYWHERE}
        return validated(model, named, "query", strict=self.is_strict)


def _refuse_constant(name: str) -> object:
    raise ValueError


@dataclass(frozen=True)
class Response:
    """An endpoint's result: an envelope still without its request id, bytes, or a stream."""

    status: int = 200
    envelope: Mapping[str, object] | None = None
    body: bytes = b""
    stream: AsyncGenerator[bytes, None] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def ok(cls, data: object, status: int = 200) -> "Response":
        return cls(status, envelope={"code": 0, "message": "OK", "data": data})

    @classmethod
    def json(
        cls, document: object, status: int = 200, headers: Mapping[str, str] | None = None
    ) -> "Response":
        """A JSON document without the envelope, for clients of another API."""
        body = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
        media_type = {"Content-Type": "application/json; charset=utf-8"}
        return cls(status, body=body, headers={**media_type, **(headers or {})})

    @classmethod
    def of(cls, body: bytes, media_type: str, **headers: str) -> "Response":
        named = {name.replace("_", "-").title(): value for name, value in headers.items()}
        return cls(body=body, headers={"Content-Type": media_type, **named})

    @classmethod
    def events(cls, stream: AsyncGenerator[bytes, None]) -> "Response":
        """Server-sent events (WHATWG HTML, "Server-sent events"), which proxies must not buffer."""
        headers = {
            "Content-Type": "text/event-stream; charset=utf-8",
            "Cache-Control": "no-cache",
            "X-Accel-Buffering": "no",
        }
        return cls(stream=stream, headers=headers)


def failure(error: AppError, request: Request) -> Response:
    body: dict[str, object] = {
        "code": error.status,
        "message": error.message(request.language),
        "error": error.name,
        **error.fields,
    }
    if error.details:
        body["details"] = [
            {**one, "problem": in_language(one["problem"], request.language)}
            for one in error.details
        ]
    return Response(error.status, envelope=body, headers=error.headers)


@dataclass(frozen=True)
class WireResponse:
    """A finished response with all its headers, ready to be sent."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    stream: AsyncGenerator[bytes, None] | None = None
