"""What the answer of a model is made of. Does no I/O."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Delta:
    """The next piece of the answer."""

    text: str


@dataclass(frozen=True, slots=True)
class Reasoning:
    """The next piece of what the model thinks before it answers."""

    text: str


@dataclass(frozen=True, slots=True)
class Finish:
    """The answer is complete; `stop`, `length`, `content_filter` or a vendor's own word."""

    reason: str


@dataclass(frozen=True, slots=True)
class Usage:
    """What the upstream counted so far; where it comes several times, the last one counts."""

    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int = 0


Event = Delta | Reasoning | Finish | Usage
