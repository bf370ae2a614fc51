"""Messages in the body of POST /v1/chat/completions (OpenAI API reference, "Chat Completions").

A field that is not known is refused by its name, unless it is null. Does no I/O.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    model_validator,
)

from functions.chat.openai_api.pictures import ImagePart

# Marks of prompt caches, and fields of answers that clients send back. They say nothing new.
# `parsed` and `parsed_arguments` are what OpenAI's SDKs made of the text that stands beside.
_LEFT_OUT = {"prompt_cache_breakpoint", "cache_control", "annotations", "index"} | {
    *("parsed", "parsed_arguments")
}

MOST_ITEMS = 1000  # of a list: each wrong item is an entry in the error


def _given(fields: object) -> object:
    """The fields without nulls, which the SDKs send for everything that is absent."""
    if not isinstance(fields, dict):
        return fields
    return {
        name: value
        for name, value in fields.items()
        if value is not None and name not in _LEFT_OUT and (name, value) != ("tool_calls", [])
    }


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid")


class TextPart(_Part):
    type: Literal["text"]
    text: str


class RefusalPart(_Part):
    type: Literal["refusal"]
    refusal: str


class CalledFunction(_Part):
    name: str
    arguments: str


class MessageCall(_Part):
    """A call that the model made earlier."""

    id: str
    type: Literal["function"] = "function"
    function: Annotated[CalledFunction, BeforeValidator(_given)]


def _content_kind(content: object) -> str:
    return "text" if isinstance(content, str) else "parts"


def _part_kind(part: object) -> str:
    kind = part.get("type") if isinstance(part, dict) else getattr(part, "type", None)
    return f"part of type {kind}"  # the name of no field, because errors name both


_AnyPart = Annotated[
    Annotated[TextPart, Tag("part of type text")]
    | Annotated[ImagePart, Tag("part of type image_url")]
    | Annotated[RefusalPart, Tag("part of type refusal")],
    Discriminator(
        _part_kind,
        custom_error_type="part_type",
        custom_error_message="type must be one of text, image_url, refusal",
    ),
    BeforeValidator(_given),
]
_Content = Annotated[
    Annotated[str, Tag("text")]
    | Annotated[list[_AnyPart], Tag("parts"), Field(min_length=1, max_length=MOST_ITEMS)],
    Discriminator(_content_kind),
]

_Calls = Annotated[
    list[Annotated[MessageCall, BeforeValidator(_given)]], Field(max_length=MOST_ITEMS)
]


class CompletionMessage(BaseModel):
    """System messages are allowed: these clients bring their own instructions."""

    model_config = ConfigDict(extra="forbid")
    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: _Content | None = None
    name: str | None = None
    refusal: str | None = None
    reasoning_content: str | None = None
    tool_calls: _Calls | None = None
    tool_call_id: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, fields: object) -> object:
        return _given(fields)

    @model_validator(mode="after")
    def _fits_its_role(self) -> "CompletionMessage":
        is_answer = self.role == "assistant"
        if self.content is None and not (is_answer and (self.tool_calls or self.refusal)):
            raise ValueError("content is required")
        if not is_answer and (self.tool_calls or self.refusal or self.reasoning_content):
            raise ValueError("tool_calls and refusal are fields of assistant messages")
        if (self.role == "tool") != (self.tool_call_id is not None):
            raise ValueError("tool_call_id is required in tool messages, and only there")
        if not is_answer and any(isinstance(one, RefusalPart) for one in self._parts):
            raise ValueError("refusal is a part of assistant messages")
        if self.role != "user" and self.pictures:
            raise ValueError("image_url is a part of user messages")
        return self

    @property
    def pictures(self) -> list[ImagePart]:
        return [one for one in self._parts if isinstance(one, ImagePart)]

    @property
    def _parts(self) -> list[Any]:
        return self.content if isinstance(self.content, list) else []

    def for_model(self) -> dict[str, Any]:
        """`developer` becomes `system`, which all upstreams know; tool calls need a content."""
        given = self.model_dump(exclude_none=True)
        role: Mapping[str, str] = {"role": "system"} if self.role == "developer" else {}
        content = {"content": None} if self.content is None else {}
        return {**given, **content, **role}
