"""Prices, tokens, and the amount that follows from them, which anybody can compute again.

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
    """What an upstream takes of us, in millionths of a fen for 1,000 tokens."""

    input_ufen: int
    cached_ufen: int
    output_ufen: int


def cost_ufen(costs: Costs, tokens: Tokens) -> int:
    """What an answer cost us, rounded up to a millionth of a fen."""
    return -(-_ufen_thousands(costs, tokens) // _PRICED_TOKENS)


def amount_fen(price: Price, tokens: Tokens) -> int:
    """A message's price, or that of its tokens, rounded up to a whole fen once, at the end."""
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
    """What a message can cost at most; so much is reserved before the model is asked."""
    return amount_fen(price, Tokens(prompt_tokens, max_tokens))


def formula(price: Price) -> str:
    """How the amount follows from the receipt's other fields."""
    if price.unit == "message":
        return "amount_fen = message_fen"
    return (
        "amount_fen = min(ceil(((prompt_tokens - cached_tokens) * input_ufen"
        " + cached_tokens * cached_ufen + completion_tokens * output_ufen) / 1e9), reserved_fen)"
    )
