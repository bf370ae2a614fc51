"""Prices, token counts, and the amounts that follow from them.

Does no I/O.
"""

from dataclasses import dataclass
from typing import Literal

_UFEN = 1_000_000
_PRICED_TOKENS = 1_000


@dataclass(frozen=True)
class Price:
    """One version of a model's price. `*_ufen` are millionths of a fen for 1,000 tokens."""

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
    """An upstream's prices, in millionths of a fen for 1,000 tokens."""

    input_ufen: int
    cached_ufen: int
    output_ufen: int


def cost_ufen(costs: Costs, tokens: Tokens) -> int:
    """The cost of an answer, rounded up to a millionth of a fen."""
    return -(-_ufen_thousands(costs, tokens) // _PRICED_TOKENS)


def amount_fen(price: Price, tokens: Tokens) -> int:
    """The price of a message or of its tokens, rounded up once to a whole fen."""
    if price.unit == "message":
        return price.message_fen
    return -(-_ufen_thousands(price, tokens) // (_PRICED_TOKENS * _UFEN))


def _ufen_thousands(rates: Price | Costs, tokens: Tokens) -> int:
    fresh = max(tokens.prompt - tokens.cached, 0)
    return (
        fresh * rates.input_ufen
        + tokens.cached * rates.cached_ufen
        + tokens.completion * rates.output_ufen
    )


def most_fen(price: Price, prompt_tokens: int, max_tokens: int) -> int:
    """The maximum cost of a message, which is reserved before the model is called."""
    return amount_fen(price, Tokens(prompt_tokens, max_tokens))


def formula(price: Price) -> str:
    """The formula of the amount, in terms of the receipt's other fields."""
    if price.unit == "message":
        return "amount_fen = message_fen"
    return (
        "amount_fen = min(ceil(((prompt_tokens - cached_tokens) * input_ufen"
        " + cached_tokens * cached_ufen + completion_tokens * output_ufen) / 1e9), reserved_fen)"
    )
