"""What a client may ask: both request forms of /api/chat, made into one."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, StringConstraints, field_validator, model_validator

from functions.chat import personas
from functions.chat.context import fitting
from shared import settings
from shared.config import load
from shared.web.client_ip import language

_Content = Annotated[str, StringConstraints(min_length=1, max_length=32_000)]


class Spoken(BaseModel):
    role: Literal["user", "assistant"]  # what the system says is ours to say
    content: _Content


class Question(BaseModel):
    """Either `messages`, where the client keeps the history, or `message`, where we do."""

    type: str = "default"
    locale: str | None = None
    messages: Annotated[list[Spoken], Field(min_length=1, max_length=100)] | None = None
    message: _Content | None = None
    conversation_id: Annotated[str, StringConstraints(min_length=1, max_length=64)] | None = None
    model: Annotated[str, StringConstraints(max_length=128)] | None = None
    stream: bool = False
    client_message_id: Annotated[str, StringConstraints(min_length=1, max_length=255)] | None = None

    @field_validator("type")
    @classmethod
    def _is_known(cls, value: str) -> str:
        if value not in personas.types():
            raise ValueError(f"must be one of {', '.join(sorted(personas.types()))}")
        return value

    @field_validator("messages")
    @classmethod
    def _ends_with_the_user(cls, value: list[Spoken] | None) -> list[Spoken] | None:
        if value and value[-1].role != "user":
            raise ValueError("must end with a message of the user")
        return value

    @model_validator(mode="after")
    def _says_something_once(self) -> "Question":
        if (self.messages is None) == (self.message is None):
            raise ValueError("either messages or message is required")
        return self

    @property
    def max_tokens(self) -> int | None:
        """As many as we allow."""
        return None

    @property
    def options(self) -> Mapping[str, object]:
        """The upstream's own defaults."""
        return {}

    @property
    def spoken(self) -> list[Spoken]:
        return self.messages or [Spoken(role="user", content=self.message or "")]

    @property
    def text(self) -> str:
        return self.spoken[-1].content

    def language(self, fallback: str) -> str:
        return language(self.locale or "", fallback)

    def prompt(self, history: list[dict[str, Any]], fallback: str) -> list[dict[str, Any]]:
        """What the model is sent: the persona, what was said before, what is said now.

        A client that sends `messages` has put what was said before into them.
        """
        instructions = personas.prompt(self.type, self.language(fallback))
        persona = {"role": "system", "content": instructions}
        *told, now = [message.model_dump() for message in self.spoken]
        before = history if self.messages is None else told
        return fitting(persona, before, now, load(settings.Chat).context_tokens)
