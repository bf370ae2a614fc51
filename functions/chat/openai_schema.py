"""OpenAI's shapes (API reference, "Chat Completions"): what is asked, answered and refused.

Does no I/O.
"""

import json
from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Discriminator, Field, Tag

from shared.errors import AppError
from shared.repos.answer_chunks import AnswerChunk

DONE = b"data: [DONE]\n\n"

_PASSED_ON = {"temperature", "top_p", "presence_penalty", "frequency_penalty", "stop", "seed"}
_REASONS = {"stop", "length", "content_filter", "tool_calls", "error"}
_ERROR_TYPES = {
    401: "authentication_error",
    402: "insufficient_quota",
    403: "permission_error",
    429: "rate_limit_error",
}


class Part(BaseModel):
    type: Literal["text"]
    text: str


def _content_kind(content: object) -> str:
    return "text" if isinstance(content, str) else "parts"


class Message(BaseModel):
    """Here the client may speak for the system too: it brings its own instructions."""

    role: Literal["system", "developer", "user", "assistant"]
    content: Annotated[
        Annotated[str, Tag("text")] | Annotated[list[Part], Tag("parts"), Field(min_length=1)],
        Discriminator(_content_kind),
    ]


class StreamOptions(BaseModel):
    include_usage: bool = False


class Completion(BaseModel):
    """A question in OpenAI's words; parameters we do not know are ignored, as it does itself."""

    messages: Annotated[list[Message], Field(min_length=1, max_length=1000)]
    model: str | None = None
    stream: bool | None = False
    stream_options: StreamOptions | None = None
    max_completion_tokens: Annotated[int, Field(ge=1)] | None = None
    older_max_tokens: int | None = Field(default=None, ge=1, alias="max_tokens")
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(ge=0, le=1)] | None = None
    presence_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    frequency_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    stop: str | list[str] | None = None
    seed: int | None = None

    @property
    def is_streamed(self) -> bool:
        return bool(self.stream)

    @property
    def counts_in_stream(self) -> bool:
        return bool(self.stream_options and self.stream_options.include_usage)

    @property
    def max_tokens(self) -> int | None:
        return self.max_completion_tokens or self.older_max_tokens

    @property
    def options(self) -> Mapping[str, object]:
        return self.model_dump(include=_PASSED_ON, exclude_none=True)

    @property
    def conversation_id(self) -> None:
        """The client keeps what was said."""
        return

    @property
    def client_message_id(self) -> None:
        """The Idempotency-Key header is all there is."""
        return

    @property
    def text(self) -> None:
        return

    def prompt(self, history: list[dict[str, Any]], fallback: str) -> list[dict[str, Any]]:
        """What the client sent. Only OpenAI itself knows `developer`, and takes `system` for it."""
        said = [message.model_dump() for message in self.messages]
        return [{**one, "role": "system"} if one["role"] == "developer" else one for one in said]


class Shape:
    """One answer, whole or as chunks. `counted` asks for the usage at the end of a stream."""

    def __init__(self, message_id: str, model: str, at_ms: int, *, counted: bool) -> None:
        self._head = {
            "id": f"chatcmpl-{message_id}",
            "created": at_ms // 1000,
            "model": model,
        }
        self._counted = counted

    def whole(
        self, pieces: Iterable[AnswerChunk], outcome: Mapping[str, object]
    ) -> dict[str, object]:
        said = {"text": "", "reasoning": ""}
        for piece in pieces:
            said[piece.kind] += piece.text
        message = {"role": "assistant", "content": said["text"], "refusal": None}
        if said["reasoning"]:
            message["reasoning_content"] = said["reasoning"]
        choice = {
            "index": 0,
            "message": message,
            "logprobs": None,
            "finish_reason": _reason(outcome),
        }
        kind = {"object": "chat.completion"}
        return {**self._head, **kind, "choices": [choice], "usage": _usage(outcome)}

    def start(self) -> bytes:
        return self._chunk({"role": "assistant", "content": ""})

    def grown(self, new: Iterable[AnswerChunk]) -> bytes:
        """What came together is told together."""
        return b"".join(
            self._chunk({_field(kind): "".join(piece.text for piece in run)})
            for kind, run in groupby(new, lambda piece: piece.kind)
        )

    def ended(self, outcome: Mapping[str, object]) -> bytes:
        last = self._chunk({}, _reason(outcome))
        if self._counted:
            last += self._event(choices=[], usage=_usage(outcome))
        return last + DONE

    def _chunk(self, delta: Mapping[str, object], reason: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
        return self._event(choices=[choice], **({"usage": None} if self._counted else {}))

    def _event(self, **fields: object) -> bytes:
        return event({**self._head, "object": "chat.completion.chunk", **fields})


def event(document: Mapping[str, object]) -> bytes:
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    return f"data: {text}\n\n".encode()


def error(failure: AppError, language: str) -> dict[str, object]:
    """`code` is our stable name, `param` the first field that is wrong."""
    first = next(iter(failure.details), None)
    param = first["field"].removeprefix("body.") if first else None
    message = failure.message(language)
    if first:
        message = f"{message} {param}: {first['problem']}"
    fallback = "server_error" if failure.status >= 500 else "invalid_request_error"
    kind = _ERROR_TYPES.get(failure.status, fallback)
    return {"error": {"message": message, "type": kind, "param": param, "code": failure.name}}


def model(name: str) -> dict[str, object]:
    """We do not know when it was made."""
    return {"id": name, "object": "model", "created": 0, "owned_by": "upstream"}


def _field(kind: str) -> str:
    return "content" if kind == "text" else "reasoning_content"


def _reason(outcome: Mapping[str, object]) -> str:
    """A vendor's own word would be none of those that clients know."""
    reason = str(outcome.get("finish_reason", "error"))
    return reason if reason in _REASONS else "stop"


def _usage(outcome: Mapping[str, Any]) -> dict[str, object]:
    counted = outcome.get("usage", {})
    prompt, answer = counted.get("prompt_tokens", 0), counted.get("completion_tokens", 0)
    return {
        "prompt_tokens": prompt,
        "completion_tokens": answer,
        "total_tokens": prompt + answer,
        "prompt_tokens_details": {"cached_tokens": counted.get("cached_tokens", 0)},
    }
