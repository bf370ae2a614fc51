"""Events of a model's answer. Does no I/O."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Delta:
    """The next part of the answer's text."""

    text: str


@dataclass(frozen=True, slots=True)
class Reasoning:
    """The next part of the model's reasoning before the answer."""

    text: str


@dataclass(frozen=True, slots=True)
class ToolCall:
    """The next part of a tool call. Clients cannot request tools: it is counted, not delivered."""

    text: str


@dataclass(frozen=True, slots=True)
class Finish:
    """The answer is complete; `stop`, `length`, `content_filter` or a vendor's own word."""

    reason: str


@dataclass(frozen=True, slots=True)
class Usage:
    """Token counts reported by the upstream, maybe several times; completion includes reasoning."""

    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int = 0


Output = Delta | Reasoning | ToolCall
Event = Output | Finish | Usage
