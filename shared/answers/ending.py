"""Ending of an answer: the facts that a turn is concluded with."""

from dataclasses import dataclass
from typing import Literal

from shared.pricing import Tokens


@dataclass(frozen=True)
class Ending:
    """Text, finish reason and token counts; `error` is the stable name of a failure, or empty."""

    text: str
    finish_reason: str
    tokens: Tokens
    error: str = ""

    @property
    def state(self) -> Literal["settled", "released"]:
        """The published rule: an answer with any text is charged, one without is free."""
        return "settled" if self.text else "released"
