"""Request body of POST /v1/chat/completions (OpenAI API reference, "Chat Completions").

Does no I/O.
"""

from collections.abc import Mapping, Sequence
from functools import cached_property
from itertools import islice
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from functions.chat.openai_api.messages import MOST_ITEMS, CompletionMessage
from functions.chat.openai_api.pictures import MOST_PICTURES
from functions.chat.openai_api.tools import ResponseFormat, Tool, ToolChoice
from functions.chat.prompt.context import Prompt, Room
from functions.chat.prompt.message import PromptMessage
from shared.errors import UnsupportedParameter
from shared.llm import parameters
from shared.repos.message_media import PromptMedia

_MOST_DETAILS = 20


class StreamOptions(BaseModel):
    """`include_obfuscation` would only pad the events."""

    model_config = ConfigDict(extra="forbid")
    include_usage: bool | None = False
    include_obfuscation: bool | None = False


class CompletionRequest(BaseModel):
    """A chat completion request. Parameters of vendors are its extra fields."""

    model_config = ConfigDict(extra="allow")
    messages: Annotated[list[CompletionMessage], Field(min_length=1, max_length=MOST_ITEMS)]
    model: str | None = None
    stream: bool | None = False
    stream_options: StreamOptions | None = None
    max_completion_tokens: Annotated[int, Field(ge=1)] | None = None
    older_max_tokens: int | None = Field(default=None, ge=1, alias="max_tokens")
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(ge=0, le=1)] | None = None
    presence_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    frequency_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    stop: str | Annotated[list[str], Field(max_length=MOST_ITEMS)] | None = None
    seed: int | None = None
    response_format: ResponseFormat | None = None
    tools: Annotated[list[Tool], Field(max_length=128)] | None = None
    tool_choice: ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    enable_thinking: bool | None = None
    thinking_budget: Annotated[int, Field(ge=0)] | None = None

    @model_validator(mode="before")
    @classmethod
    def _refuse_unsupported(cls, body: object) -> object:
        """Raises: UnsupportedParameter."""
        problems = parameters.problems_of(body) if isinstance(body, dict) else ()
        details = [
            {"field": f"body.{name[:64]}", "problem": problem}
            for name, problem in islice(problems, _MOST_DETAILS)
        ]
        if details:
            raise UnsupportedParameter(details=details)
        return body

    @field_validator("messages")
    @classmethod
    def _has_few_pictures(cls, messages: list[CompletionMessage]) -> list[CompletionMessage]:
        if sum(len(message.pictures) for message in messages) > MOST_PICTURES:
            raise ValueError(f"must have at most {MOST_PICTURES} pictures")
        return messages

    @property
    def is_streamed(self) -> bool:
        return bool(self.stream)

    @property
    def with_usage_in_stream(self) -> bool:
        return bool(self.stream_options and self.stream_options.include_usage)

    @property
    def max_tokens(self) -> int | None:
        return self.max_completion_tokens or self.older_max_tokens

    @cached_property
    def options(self) -> Mapping[str, object]:
        """The parameters to send on, as they were given. An empty list asks for nothing."""
        given = self.model_dump(include=set(parameters.SENT), exclude_unset=True)
        return {name: value for name, value in given.items() if value is not None and value != []}

    @property
    def has_pictures(self) -> bool:
        return any(message.pictures for message in self.messages)

    @property
    def media_ids(self) -> Sequence[str]:
        """Pictures are parts of messages here."""
        return ()

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
        self,
        history: Sequence[PromptMessage],
        media: Sequence[PromptMedia],
        fallback_language: str,
        room: Room,
    ) -> Prompt:
        """The messages of the client."""
        return Prompt([message.for_model() for message in self.messages])
