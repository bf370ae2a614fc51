"""Prices, token counts, and the amounts that follow from them.

Prices and costs are in fen per million tokens, with up to three decimals. All arithmetic is on
integers: `*_ufen` is a price in thousandths of a fen per million tokens (the same as millionths
of a fen per thousand tokens), and `cost_ufen` is an amount in millionths of a fen. The database,
and the price stored with a turn, hold these integers under these names; clients never see them.

Does no I/O.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, Protocol

_PRICED_TOKENS = 1_000_000
_PRICE_UNITS = 1_000  # thousandths of a fen per million tokens
_COST_UNITS = 1_000_000  # millionths of a fen

MOST_FEN_PER_MILLION = 1_000_000_000
MOST_UFEN = MOST_FEN_PER_MILLION * _PRICE_UNITS


class Rates(Protocol):
    """Prices of tokens: input, input from the upstream's cache, and output."""

    @property
    def input_ufen(self) -> int: ...
    @property
    def cached_ufen(self) -> int: ...
    @property
    def output_ufen(self) -> int: ...


@dataclass(frozen=True)
class Price:
    """One version of a model's price."""

    model: str
    version: int
    unit: Literal["message", "token"]
    message_fen: int = 0
    input_ufen: int = 0
    cached_ufen: int = 0
    output_ufen: int = 0


@dataclass(frozen=True)
class Tokens:
    """`cached` of the `prompt` tokens were served from the upstream's cache."""

    prompt: int
    completion: int
    cached: int = 0
    source: Literal["reported", "estimated"] = "reported"


@dataclass(frozen=True)
class Costs:
    """An upstream's prices."""

    input_ufen: int
    cached_ufen: int
    output_ufen: int


def cost_ufen(costs: Costs, tokens: Tokens) -> int:
    """The cost of an answer, rounded up to a millionth of a fen."""
    return _ceil(_priced(costs, tokens) * _COST_UNITS, _PRICE_UNITS * _PRICED_TOKENS)


def amount_fen(price: Price, tokens: Tokens) -> int:
    """The price of a message or of its tokens, rounded up once to a whole fen."""
    if price.unit == "message":
        return price.message_fen
    return _ceil(_priced(price, tokens), _PRICE_UNITS * _PRICED_TOKENS)


def _priced(rates: Rates, tokens: Tokens) -> int:
    """The tokens times their prices."""
    fresh = max(tokens.prompt - tokens.cached, 0)
    return (
        fresh * rates.input_ufen
        + tokens.cached * rates.cached_ufen
        + tokens.completion * rates.output_ufen
    )


def _ceil(dividend: int, divisor: int) -> int:
    return -(-dividend // divisor)


def most_fen(price: Price, prompt_tokens: int, max_tokens: int) -> int:
    """The maximum cost of a message, which is reserved before the model is called."""
    return amount_fen(price, Tokens(prompt_tokens, max_tokens))


def formula(unit: object) -> str:
    """The formula of an amount, in terms of the receipt's other fields; `unit` is the price's."""
    if unit == "message":
        return "amount_fen = message_fen"
    return (
        "amount_fen = min(ceil(((prompt_tokens - cached_tokens) * input_fen_per_million"
        " + cached_tokens * cached_fen_per_million"
        " + completion_tokens * output_fen_per_million) / 1000000), reserved_fen)"
    )


def price_json(price: Price) -> dict[str, object]:
    return {
        "model": price.model,
        "version": price.version,
        "unit": price.unit,
        "message_fen": price.message_fen,
        **rates_json(price),
    }


def rates_json(rates: Rates) -> dict[str, object]:
    return {
        "input_fen_per_million": fen_per_million(rates.input_ufen),
        "cached_fen_per_million": fen_per_million(rates.cached_ufen),
        "output_fen_per_million": fen_per_million(rates.output_ufen),
    }


def ufen(fen: Decimal) -> int:
    """A price in fen per million tokens, with up to three decimals, as it is stored."""
    return int(fen * _PRICE_UNITS)


def fen_per_million(ufen: int) -> int | float:
    """A price for JSON."""
    return _number(ufen, _PRICE_UNITS)


def cost_fen(ufen: int) -> int | float:
    """A cost for JSON, in fen with up to six decimals."""
    return _number(ufen, _COST_UNITS)


def _number(units: int, per_fen: int) -> int | float:
    """An integer of units as fen. Nothing is computed with the float: Python writes it with the
    shortest decimals that identify it, which are the exact ones up to 15 digits.
    """
    whole, rest = divmod(units, per_fen)
    return units / per_fen if rest else whole
