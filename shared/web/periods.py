"""Moments and periods in queries and bodies, written in ISO 8601: one rule for all of them.

A date is a day of Asia/Shanghai and means its first instant, and a time without a zone is
a time of Asia/Shanghai. A time with a zone is exact.
"""

import re
from datetime import datetime, timedelta, timezone
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, model_validator

from shared.problems import Problem
from shared.times import SHANGHAI
from shared.web.unknown_names import names_of

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_ISO_8601 = re.compile(
    r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?(?P<offset>Z|[+ -]\d\d:?\d\d)?)?",
    re.ASCII | re.IGNORECASE,
)


def _iso_8601(text: object) -> str:
    """Refuse bare numbers, which pydantic would read as seconds; repair an unescaped `+`."""
    match = _ISO_8601.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise ValueError(
            Problem(
                "must be like 2026-11-22 or 2026-11-22T08:00:00+08:00",
                "格式须为 2026-11-22 或 2026-11-22T08:00:00+08:00",
            )
        )
    offset = match["offset"] or ""
    return match[0].removesuffix(offset) + offset.replace(" ", "+")


def _in_utc(moment: datetime) -> datetime:
    aware = moment if moment.tzinfo else moment.replace(tzinfo=SHANGHAI)
    try:
        return aware.astimezone(timezone.utc)
    except OverflowError:
        raise ValueError(
            Problem("must be in the years 1 to 9999 of UTC", "年份必须在 1 到 9999 之间")
        ) from None


Moment = Annotated[datetime, BeforeValidator(_iso_8601), AfterValidator(_in_utc)]


class Period(BaseModel):
    """A half-open period: `from` is in it, `to` is not. An empty parameter counts as absent."""

    from_: Moment | None = Field(default=None, alias="from")
    to: Moment | None = None

    @model_validator(mode="before")
    @classmethod
    def _without_empty(cls, query: dict[str, str]) -> dict[str, str]:
        known = names_of(cls)  # unknown ones are refused, also empty ones
        return {name: text for name, text in query.items() if text or name not in known}

    @model_validator(mode="after")
    def _is_in_order(self) -> "Period":
        if self.from_ and self.to and self.from_ > self.to:
            raise ValueError(Problem("from must not be after to", "from 不能晚于 to"))
        return self

    @property
    def from_ms(self) -> int | None:
        return milliseconds(self.from_)

    @property
    def to_ms(self) -> int | None:
        return milliseconds(self.to)


def milliseconds(moment: datetime | None) -> int | None:
    return None if moment is None else (moment - _EPOCH) // timedelta(milliseconds=1)
