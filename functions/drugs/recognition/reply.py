"""The reply of a model to a recognition, checked and turned into a draft. Does no I/O."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from functions.drugs.approval_numbers import approval_number
from functions.drugs.dates import printed_date
from functions.drugs.fields import (
    NAME_CHARACTERS,
    NUMBER_CHARACTERS,
    TEXT_CHARACTERS,
    one_line,
)
from functions.drugs.recognition.prompt import NAMES
from shared.invisible import without_invisible

_MOST_CHARACTERS = 40_000
_MOST_STARTS = 20  # of objects that a reply is searched for
_LINES = {"name", "generic_name", "manufacturer", "specification"}
# What models write for a field that they cannot read.
_NOTHING = {
    "",
    "null",
    "none",
    "n/a",
    "unknown",
    "未知",
    "无",
    "不详",
    "无法识别",
    "看不清",
    "未标注",
}

_Text = str | None
_Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] | None


class InvalidReply(Exception):
    """The reply is not the JSON that was asked for; its text says why, in words for the model."""


class _Reply(BaseModel):
    """The JSON object of a model. `name` must be there, to tell it from any other object."""

    model_config = ConfigDict(strict=True)

    name: _Text
    generic_name: _Text = None
    approval_number: _Text = None
    manufacturer: _Text = None
    specification: _Text = None
    batch_number: _Text = None
    produced_on: _Text = None
    expires_on: _Text = None
    dosage: _Text = None
    storage: _Text = None
    warnings: _Text = None
    confidence: dict[str, _Share] = Field(default_factory=dict)


@dataclass(frozen=True)
class Draft:
    """The fields of a medicine, and how sure the model is of each. What is not known is None."""

    fields: Mapping[str, str | None]
    confidence: Mapping[str, float | None]


def draft_of(text: str) -> Draft:
    """Raises: InvalidReply."""
    reply = _reply(text)
    fields = {name: _field(name, getattr(reply, name)) for name in NAMES}
    produced, expires = fields["produced_on"], fields["expires_on"]
    if produced and expires and produced > expires:  # one of them is misread
        fields |= {"produced_on": None, "expires_on": None}
    known = reply.confidence
    return Draft(fields, {name: known.get(name) if fields[name] else None for name in NAMES})


def _reply(text: str) -> _Reply:
    """The first object in the text that is a valid reply. Raises: InvalidReply."""
    problem = "it has no JSON object"
    for found in _objects(text[:_MOST_CHARACTERS]):
        try:
            return _Reply.model_validate(found)
        except ValidationError as error:
            problem = _problem(error)
    raise InvalidReply(problem)


def _objects(text: str) -> Iterator[dict[str, Any]]:
    """The JSON objects in a text: in a fence of code, or with words around them."""
    decoder, start = json.JSONDecoder(), text.find("{")
    for _ in range(_MOST_STARTS):
        if start < 0:
            return
        try:
            found, end = decoder.raw_decode(text, start)
            yield found
        except (ValueError, RecursionError):
            end = start + 1
        start = text.find("{", end)


def _problem(error: ValidationError) -> str:
    """The first problem in pydantic's words; they quote nothing of the reply."""
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    return f"{'.'.join(map(str, first['loc']))[:64]}: {first['msg']}"


def _field(name: str, text: str | None) -> str | None:
    if text is None or text.strip().lower() in _NOTHING:
        return None
    if name == "produced_on":
        return _iso(text, is_expiry=False)
    if name == "expires_on":
        return _iso(text, is_expiry=True)
    if name == "approval_number":
        return approval_number(text[:NUMBER_CHARACTERS])
    if name == "batch_number":
        return one_line(text[:NUMBER_CHARACTERS]) or None
    if name in _LINES:
        return one_line(text[:NAME_CHARACTERS]) or None
    return without_invisible(text[:TEXT_CHARACTERS]).strip() or None


def _iso(text: str, *, is_expiry: bool) -> str | None:
    found = printed_date(text, day="last" if is_expiry else "first")
    return found.isoformat() if found else None
