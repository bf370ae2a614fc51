"""Request body of POST /v1/chat/completions (OpenAI API reference, "Chat Completions").

Does no I/O.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Discriminator, Field, Tag

_PASSED_ON = {"temperature", "top_p", "presence_penalty", "frequency_penalty", "stop", "seed"}


class TextPart(BaseModel):
    type: Literal["text"]
    text: str


def _content_kind(content: object) -> str:
    return "text" if isinstance(content, str) else "parts"


class CompletionMessage(BaseModel):
    """System messages are allowed: these clients bring their own instructions."""

    role: Literal["system", "developer", "user", "assistant"]
    content: Annotated[
        Annotated[str, Tag("text")] | Annotated[list[TextPart], Tag("parts"), Field(min_length=1)],
        Discriminator(_content_kind),
    ]


class StreamOptions(BaseModel):
    include_usage: bool = False


class CompletionRequest(BaseModel):
    """A chat completion request. Unknown parameters are ignored."""

    messages: Annotated[list[CompletionMessage], Field(min_length=1, max_length=1000)]
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
    def with_usage_in_stream(self) -> bool:
        return bool(self.stream_options and self.stream_options.include_usage)

    @property
    def max_tokens(self) -> int | None:
        return self.max_completion_tokens or self.older_max_tokens

    @property
    def options(self) -> Mapping[str, object]:
        return self.model_dump(include=_PASSED_ON, exclude_none=True)

    @property
    def conversation_id(self) -> None:
        """The client keeps the history."""
        return

    @property
    def client_message_id(self) -> None:
        """This API has only the Idempotency-Key header."""
        return

    @property
    def question(self) -> None:
        """Nothing is stored in a conversation."""
        return

    @property
    def title(self) -> None:
        """Nothing is stored in a conversation."""
        return

    def prompt(
        self, history: list[dict[str, Any]], fallback_language: str, most_tokens: int
    ) -> list[dict[str, Any]]:
        """The messages of the client; `developer` becomes `system`, which all upstreams know."""
        messages = [message.model_dump() for message in self.messages]
        return [
            {**message, "role": "system"} if message["role"] == "developer" else message
            for message in messages
        ]
