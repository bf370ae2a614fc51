"""Prices of tokens in request bodies: exact numbers of fen per million tokens."""

from decimal import Decimal, InvalidOperation
from typing import Annotated, TypedDict

from pydantic import (
    BaseModel,
    BeforeValidator,
    Field,
    PlainSerializer,
    PlainValidator,
    ValidationInfo,
)

from shared.pricing import MOST_FEN_PER_MILLION, fen_per_million, ufen
from shared.problems import Problem

_SMALLEST = Decimal("0.001")


def exact(text: str) -> Decimal:
    """A JSON number without rounding. NaN for an exponent of more than 18 digits."""
    try:
        return Decimal(text)
    except InvalidOperation:
        return Decimal("NaN")


def _price(value: object) -> Decimal:
    """A number of JSON that was parsed with `exact`; no boolean, and no text with digits."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise ValueError(Problem("must be a number", "必须是数字"))
    number = Decimal(value)
    if not number.is_finite() or not 0 <= number <= MOST_FEN_PER_MILLION:
        raise ValueError(
            Problem(
                f"must be from 0 to {MOST_FEN_PER_MILLION}",
                f"必须在 0 到 {MOST_FEN_PER_MILLION} 之间",
            )
        )
    if number.quantize(_SMALLEST) != number:
        raise ValueError(Problem("must have at most 3 decimals", "最多三位小数"))
    return number


def _renamed(_: object, info: ValidationInfo) -> None:
    """Refuse the name of another unit: ignoring it would store a price of 0."""
    new_name = str(info.field_name).replace("_ufen", "_fen_per_million")
    raise ValueError(
        Problem(
            f"is now {new_name}, in fen per million tokens",
            f"已改为 {new_name}，单位为分每百万 token",
        )
    )


FenPerMillion = Annotated[
    Decimal,
    PlainValidator(_price),
    PlainSerializer(lambda number: fen_per_million(ufen(number))),
]
Renamed = Annotated[None, BeforeValidator(_renamed), Field(deprecated=True)]


class Ufen(TypedDict):
    """Prices as they are stored (see shared/pricing.py); None where none is given."""

    input_ufen: int | None
    cached_ufen: int | None
    output_ufen: int | None


class TokenPrices(BaseModel):
    """Base of request bodies with prices of tokens. They are parsed with `exact`."""

    input_fen_per_million: FenPerMillion | None = None
    cached_fen_per_million: FenPerMillion | None = None
    output_fen_per_million: FenPerMillion | None = None
    input_ufen: Renamed = None
    cached_ufen: Renamed = None
    output_ufen: Renamed = None

    @property
    def in_ufen(self) -> Ufen:
        return {
            "input_ufen": _ufen(self.input_fen_per_million),
            "cached_ufen": _ufen(self.cached_fen_per_million),
            "output_ufen": _ufen(self.output_fen_per_million),
        }


def _ufen(price: Decimal | None) -> int | None:
    return None if price is None else ufen(price)
