"""Ending of an answer: the facts that a turn is concluded with."""

from dataclasses import dataclass
from typing import Literal

from shared.pricing import Tokens


@dataclass(frozen=True)
class Ending:
    """Text, finish reason and token counts; `error` is the stable name of a failure, or empty.

    `has_output` is true if anything was received: text, reasoning or a tool call.
    """

    text: str
    finish_reason: str
    tokens: Tokens
    error: str = ""
    has_output: bool = False

    @property
    def state(self) -> Literal["settled", "released"]:
        """The published rule: an answer with any output is settled, an empty one is free."""
        return "settled" if self.text or self.has_output else "released"
