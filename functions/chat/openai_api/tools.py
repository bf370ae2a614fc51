"""Tools and formats in the body of POST /v1/chat/completions.

Only what this service relies on is checked: names, kinds and schemas are the upstream's
business, and other fields are sent as they are. Does no I/O.
"""

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

_CHOICES = ("none", "auto", "required")


class FunctionTool(BaseModel):
    model_config = ConfigDict(extra="allow")
    name: Annotated[str, Field(min_length=1)]


class Tool(BaseModel):
    """A function of the client; tools that a vendor runs itself are not offered."""

    model_config = ConfigDict(extra="allow")
    type: Literal["function"]
    function: FunctionTool


def _tool_choice(value: object) -> object:
    is_named = (
        isinstance(value, dict)
        and value.get("type") == "function"
        and isinstance(function := value.get("function"), dict)
        and isinstance(function.get("name"), str)
    )
    if not is_named and value not in _CHOICES:
        raise ValueError(f"must be {', '.join(_CHOICES)}, or name a function")
    return value


ToolChoice = Annotated[object, AfterValidator(_tool_choice)]


class JsonSchema(BaseModel):
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
