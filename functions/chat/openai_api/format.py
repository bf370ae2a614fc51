"""Answers, errors and models as OpenAI's API words them (API reference, "Chat Completions")."""

from collections.abc import Iterable, Mapping
from typing import Any

from functions.chat.openai_api.finish_reasons import interruption, whole_reason
from functions.chat.openai_api.message import deltas_json, message_json
from functions.chat.outcome import Outcome
from functions.chat.turn import AnswerHead
from shared.errors import AppError, PromptTooLong
from shared.llm.model_list import Offered
from shared.repos.answer_chunks import AnswerChunk
from shared.web import sse
from shared.web.endpoint import Response

_DONE = b"data: [DONE]\n\n"
_ERROR_TYPES = {
    401: "authentication_error",
    402: "insufficient_quota",
    403: "permission_error",
    429: "rate_limit_error",
}
_ERROR_CODES = {PromptTooLong.name: "context_length_exceeded"}


class OpenAIFormat:
    """One answer as a chat completion, or as its chunks.

    `with_usage` adds the token counts to the end of a stream.
    """

    def __init__(self, head: AnswerHead, language: str, *, with_usage: bool) -> None:
        self._head = {
            "id": f"chatcmpl-{head.message_id}",
            "created": head.started_ms // 1000,
            "model": head.model,
        }
        self._language = language
        self._with_usage = with_usage

    def whole(self, chunks: Iterable[AnswerChunk], outcome: Outcome) -> Response:
        message = message_json(chunks)
        choice = {
            "index": 0,
            "message": message,
            "logprobs": None,
            "finish_reason": whole_reason(outcome),
        }
        kind = {"object": "chat.completion"}
        body = {**self._head, **kind, "choices": [choice], "usage": _usage_json(outcome)}
        return Response.json(body)

    def start(self) -> bytes:
        return self._chunk({"role": "assistant", "content": ""})

    def grown(self, new: Iterable[AnswerChunk]) -> bytes:
        return b"".join(self._chunk(delta) for delta in deltas_json(new))

    def end(self, outcome: Outcome) -> bytes:
        failure = interruption(outcome)
        if failure:
            return sse.nameless_event(error_json(failure, self._language))
        last = self._chunk({}, whole_reason(outcome))
        if self._with_usage:
            last += self._chunk_event(choices=[], usage=_usage_json(outcome))
        return last + _DONE

    def _chunk(self, delta: Mapping[str, object], finish_reason: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
        return self._chunk_event(choices=[choice], **({"usage": None} if self._with_usage else {}))

    def _chunk_event(self, **fields: object) -> bytes:
        return sse.nameless_event({**self._head, "object": "chat.completion.chunk", **fields})


def error_json(error: AppError, language: str) -> dict[str, object]:
    """`code` is OpenAI's name of the error if it has one, else ours; `param` the first field."""
    first = next(iter(error.details), None)
    param = first["field"].removeprefix("body.") if first else None
    message = error.message("en" if first else language)  # problems are in English here
    if first:
        message = f"{message} {param}: {first['problem']}"
    fallback = "server_error" if error.status >= 500 else "invalid_request_error"
    code = _ERROR_CODES.get(error.name, error.name)
    kind = _ERROR_TYPES.get(error.status, fallback)
    known = {"message": message, "type": kind, "param": param, "code": code}
    return {"error": {**known, **error.fields}}


def model_json(model: Offered) -> dict[str, object]:
    created = model.created_at
    return {"id": model.name, "object": "model", "created": created, "owned_by": "upstream"}


def _usage_json(outcome: Outcome) -> dict[str, object]:
    usage: Any = outcome.data.get("usage", {})
    prompt, answer = usage.get("prompt_tokens", 0), usage.get("completion_tokens", 0)
    return {
        "prompt_tokens": prompt,
        "completion_tokens": answer,
        "total_tokens": prompt + answer,
        "prompt_tokens_details": {"cached_tokens": usage.get("cached_tokens", 0)},
    }
