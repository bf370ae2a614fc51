"""Request body of POST /api/chat, in both of its forms."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Literal

from pydantic import (
    BaseModel,
    Field,
    StringConstraints,
    ValidationInfo,
    field_validator,
    model_validator,
)

from functions.chat.prompt import personas
from functions.chat.prompt.context import Prompt, Room, fit_context
from functions.chat.prompt.message import PromptMessage
from shared import settings
from shared.chat_rules import (
    KEY_CHARACTERS,
    MEDIA,
    MESSAGE_CHARACTERS,
    MESSAGES,
    PERSONA_TITLES,
)
from shared.config import load
from shared.problems import Problem
from shared.repos.message_media import PromptMedia
from shared.web.client_ip import language
from shared.web.fields import ShownTitle

_Content = Annotated[str, StringConstraints(min_length=1, max_length=MESSAGE_CHARACTERS)]
_Id = Annotated[str, StringConstraints(min_length=1, max_length=64)]
_Key = Annotated[str, StringConstraints(min_length=1, max_length=KEY_CHARACTERS)]


class ChatMessage(BaseModel):
    role: Literal["user", "assistant"]  # the system message is ours: the persona
    content: _Content


class ChatRequest(BaseModel):
    """Either `messages`, if the client keeps the history, or `message`, if we do.

    `media_ids` are the pictures and documents of the question, which has a text in any case.
    """

    type: str = "default"
    locale: str | None = None
    messages: Annotated[list[ChatMessage], Field(min_length=1, max_length=MESSAGES)] | None = None
    message: _Content | None = None
    media_ids: Annotated[list[_Id], Field(max_length=MEDIA)] = []
    conversation_id: _Id | None = None
    title: ShownTitle | None = None
    model: Annotated[str, StringConstraints(max_length=128)] | None = None
    stream: bool = False
    client_message_id: _Key | None = None

    @field_validator("type")
    @classmethod
    def _is_known(cls, value: str) -> str:
        if value not in PERSONA_TITLES:
            known = ", ".join(sorted(PERSONA_TITLES))
            raise ValueError(Problem(f"must be one of {known}", f"必须是以下之一：{known}"))
        return value

    @field_validator("title")
    @classmethod
    def _is_new(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value and info.data.get("conversation_id"):
            raise ValueError(
                Problem(
                    "is for the first question; rename the conversation instead",
                    "只用于第一个问题；请改为重命名对话",
                )
            )
        return value

    @field_validator("messages")
    @classmethod
    def _ends_with_the_user(cls, value: list[ChatMessage] | None) -> list[ChatMessage] | None:
        if value and value[-1].role != "user":
            raise ValueError(
                Problem("must end with a message of the user", "最后一条消息必须来自用户")
            )
        return value

    @field_validator("media_ids")
    @classmethod
    def _are_distinct(cls, value: list[str]) -> list[str]:
        if len(set(value)) < len(value):
            raise ValueError(Problem("must name each file once", "每个文件只能出现一次"))
        return value

    @model_validator(mode="after")
    def _has_one_form(self) -> "ChatRequest":
        if (self.messages is None) == (self.message is None):
            raise ValueError(
                Problem(
                    "either messages or message is required",
                    "messages 和 message 必须且只能填写一个",
                )
            )
        return self

    @property
    def max_tokens(self) -> int | None:
        """None: as many as the settings allow."""
        return None

    @property
    def options(self) -> Mapping[str, object]:
        """No options: the defaults of the upstream apply."""
        return {}

    @property
    def has_pictures(self) -> bool:
        return False

    @property
    def question(self) -> str:
        return self._all_messages[-1].content

    def prompt(
        self,
        history: Sequence[PromptMessage],
        media: Sequence[PromptMedia],
        fallback_language: str,
        room: Room,
    ) -> Prompt:
        """The persona, the earlier messages and the question.

        In the form with `messages`, the client has sent the earlier messages itself.
        """
        instructions = personas.prompt(self.type, language(self.locale or "", fallback_language))
        persona = {"role": "system", "content": instructions}
        *sent_before, question = [
            PromptMessage(one.role, one.content) for one in self._all_messages
        ]
        earlier = history if self.messages is None else sent_before
        budget = min(load(settings.Chat).context_tokens, room.most_tokens)
        asked = replace(question, media=media)
        return fit_context(persona, earlier, asked, replace(room, most_tokens=budget))

    @property
    def _all_messages(self) -> list[ChatMessage]:
        return self.messages or [ChatMessage(role="user", content=self.message or "")]
