"""Requests of the medicine list: its query, and the fields of a medicine. Does no I/O."""

import re
from contextlib import suppress
from datetime import date
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    Field,
    StringConstraints,
    model_validator,
)

from functions.drugs.approval_numbers import approval_number
from shared.invisible import without_invisible
from shared.problems import Problem
from shared.web.fields import Search
from shared.web.pagination import ListQuery

NAME_CHARACTERS, NUMBER_CHARACTERS, TEXT_CHARACTERS = 200, 64, 2000
MOST_PICTURES = 6
_MOST_DAYS = 36_500
_ISO_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


def one_line(text: str) -> str:
    """The text as it is seen, on one line."""
    return " ".join(without_invisible(text).split())


def _name(text: str) -> str:
    name = one_line(text)
    if not name:
        raise ValueError(Problem("must have visible characters", "必须含有可见字符"))
    return name


def _line(text: str) -> str | None:
    return one_line(text) or None


def _text(text: str) -> str | None:
    return without_invisible(text).strip() or None


def _approval_number(text: str) -> str | None:
    """An empty text means none, as forms send it."""
    if not text.strip():
        return None
    number = approval_number(text)
    if number is None:
        raise ValueError(Problem("must be like 国药准字H20012345", "格式须类似 国药准字H20012345"))
    return number


def _iso_date(text: str) -> str | None:
    """A day, not a time. An empty text means none."""
    if not text:
        return None
    if _ISO_DATE.fullmatch(text):
        with suppress(ValueError):
            return date.fromisoformat(text).isoformat()
    raise ValueError(
        Problem("must be a day that exists, like 2027-03-31", "必须是存在的日期，格式如 2027-03-31")
    )


_Line = Annotated[str, StringConstraints(max_length=NAME_CHARACTERS), AfterValidator(_line)]
_Number = Annotated[str, StringConstraints(max_length=NUMBER_CHARACTERS), AfterValidator(_line)]
_Text = Annotated[str, StringConstraints(max_length=TEXT_CHARACTERS), AfterValidator(_text)]
_Day = Annotated[str, StringConstraints(max_length=NUMBER_CHARACTERS), AfterValidator(_iso_date)]
Id = Annotated[str, StringConstraints(min_length=1, max_length=64)]


class DrugsQuery(ListQuery):
    """`q` is a part of a name, of the manufacturer or of the approval number.

    `expiring_within_days` keeps what expires until then, also what has expired.
    """

    q: Search | None = None
    expiring_within_days: Annotated[int, Field(ge=0, le=_MOST_DAYS)] | None = None
    sort: Literal["expires_on", "created_at"] = "expires_on"


class _DrugBody(BaseModel):
    """The fields of a medicine, as its owner confirms them."""

    name: Annotated[str, StringConstraints(max_length=NAME_CHARACTERS), AfterValidator(_name)]
    generic_name: _Line | None = None
    approval_number: (
        Annotated[
            str, StringConstraints(max_length=NUMBER_CHARACTERS), AfterValidator(_approval_number)
        ]
        | None
    ) = None
    manufacturer: _Line | None = None
    specification: _Line | None = None
    batch_number: _Number | None = None
    produced_on: _Day | None = None
    expires_on: _Day | None = None
    dosage: _Text | None = None
    storage: _Text | None = None
    warnings: _Text | None = None
    media_ids: Annotated[list[Id], Field(max_length=MOST_PICTURES)] = Field(default_factory=list)

    @model_validator(mode="after")
    def _expires_after_its_production(self) -> "_DrugBody":
        if self.produced_on and self.expires_on and self.produced_on > self.expires_on:
            raise ValueError(
                Problem(
                    "produced_on must not be after expires_on", "produced_on 不能晚于 expires_on"
                )
            )
        return self


class CreateDrug(_DrugBody):
    """`recognition_id` names the recognition that the draft came from."""

    recognition_id: Id | None = None


class ChangeDrug(_DrugBody):
    """All fields are replaced. `version` is the one that was read, unless If-Match names it."""

    version: Annotated[int, Field(ge=1, le=2**31 - 1)] | None = None
