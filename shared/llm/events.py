"""Events of a model's answer. Does no I/O."""

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Delta:
    """The next part of the answer's text."""

    text: str


@dataclass(frozen=True, slots=True)
class Reasoning:
    """The next part of the model's reasoning before the answer."""

    text: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """The next part of the model's refusal to answer, in place of the text."""

    text: str


@dataclass(frozen=True, slots=True)
class ToolCall:
    """The next part of a call of one of the client's tools.

    The first part of a call has its id and its name. The arguments are JSON, in any
    number of parts. `index` says which call of the answer it is.
    """

    index: int
    id: str = ""
    name: str = ""
    arguments: str = ""

    @property
    def text(self) -> str:
        """The output that the upstream counts."""
        return self.name + self.arguments


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


Output = Delta | Reasoning | Refusal | ToolCall
Event = Output | Finish | Usage


def shortened(event: Output, length: int) -> Output:
    """The event with the first `length` characters of its text."""
    if isinstance(event, ToolCall):
        left = max(length - len(event.name), 0)
        return replace(event, name=event.name[:length], arguments=event.arguments[:left])
    return replace(event, text=event.text[:length])
