"""Request body of POST /v1/chat/completions (OpenAI API reference, "Chat Completions").

Does no I/O.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator

from shared.errors import UnsupportedParameter
from shared.llm import parameters
from shared.web.endpoint import Request


def read_request(request: Request) -> "CompletionRequest":
    """Raises: MalformedJson, UnsupportedParameter, InvalidRequest."""
    document = request.json()
    problems = parameters.problems_of(document) if isinstance(document, dict) else ()
    details = [{"field": f"body.{name[:64]}", "problem": problem} for name, problem in problems]
    if details:
        raise UnsupportedParameter(details=details[:20])
    return request.parse(CompletionRequest)


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
    """`include_obfuscation` would only pad the events."""

    model_config = ConfigDict(extra="forbid")
    include_usage: bool | None = False
    include_obfuscation: bool | None = False


class JsonSchema(BaseModel):
    """Only the name is required; the upstream judges the schema."""

    model_config = ConfigDict(extra="allow")
    name: str


class ResponseFormat(BaseModel):
    model_config = ConfigDict(extra="allow")
    type: Literal["text", "json_object", "json_schema"]
    json_schema: JsonSchema | None = None

    @model_validator(mode="after")
    def _has_a_schema(self) -> "ResponseFormat":
        if self.type == "json_schema" and self.json_schema is None:
            raise ValueError("json_schema is required")
        return self


class CompletionRequest(BaseModel):
    """A chat completion request. Parameters of vendors are its extra fields."""

    model_config = ConfigDict(extra="allow")
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
    response_format: ResponseFormat | None = None
    enable_thinking: bool | None = None
    thinking_budget: Annotated[int, Field(ge=0)] | None = None

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
        """The parameters to send on, as they were given."""
        given = self.model_dump(include=set(parameters.SENT), exclude_unset=True)
        return {name: value for name, value in given.items() if value is not None}

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
