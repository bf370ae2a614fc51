"""What an administrator may ask for: a dataset, a format and a period."""

import re
from datetime import datetime, timedelta, timezone
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    Field,
    field_validator,
    model_validator,
)

from shared.exports.datasets import DATASETS
from shared.exports.wanted import Wanted

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_ISO_8601 = re.compile(
    r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?(?P<offset>Z|[+ -]\d\d:?\d\d)?)?",
    re.ASCII | re.IGNORECASE,
)


def _iso_8601(text: str) -> str:
    """Refuse bare numbers, which would pass for seconds; repair a `+` sent without escaping."""
    match = _ISO_8601.fullmatch(text)
    if match is None:
        raise ValueError("must be like 2026-11-22 or 2026-11-22T08:00:00+08:00")
    offset = match["offset"] or ""
    return text.removesuffix(offset) + offset.replace(" ", "+")


def _in_utc(moment: datetime) -> datetime:
    aware = moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
    try:
        return aware.astimezone(timezone.utc)
    except OverflowError:
        raise ValueError("must be in the years 1 to 9999 of UTC") from None


# A date is its first instant; without an offset both mean UTC, as all our times do.
Moment = Annotated[datetime, BeforeValidator(_iso_8601), AfterValidator(_in_utc)]


class Query(BaseModel):
    """The period is half open: `from` belongs to it, `to` does not."""

    dataset: str
    format: Literal["csv", "ndjson", "xlsx"] = "csv"
    from_: Moment | None = Field(default=None, alias="from")
    to: Moment | None = None
    delivery: Literal["inline", "link"] = "inline"

    @model_validator(mode="before")
    @classmethod
    def _without_empty(cls, query: dict[str, str]) -> dict[str, str]:
        return {name: text for name, text in query.items() if text}

    @field_validator("dataset")
    @classmethod
    def _exists(cls, name: str) -> str:
        if name not in DATASETS:
            raise ValueError(f"must be one of {', '.join(DATASETS)}")
        return name

    @field_validator("delivery")
    @classmethod
    def _is_possible(cls, delivery: str) -> str:
        if delivery == "link":
            raise ValueError("link needs object storage, which this deployment does not have")
        return delivery

    @model_validator(mode="after")
    def _is_in_order(self) -> "Query":
        if self.from_ and self.to and self.from_ > self.to:
            raise ValueError("from must not be after to")
        return self

    @property
    def wanted(self) -> Wanted:
        return Wanted(self.dataset, self.format, _milliseconds(self.from_), _milliseconds(self.to))


def _milliseconds(moment: datetime | None) -> int | None:
    return None if moment is None else (moment - _EPOCH) // timedelta(milliseconds=1)
