"""Context of a question: the earlier messages and the media that fit the token budget.

Does no I/O.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from functions.chat.prompt.message import Message, PromptMessage, fitted
from shared.llm.estimate import estimate_prompt_tokens
from shared.llm.pictures import Rule


@dataclass(frozen=True)
class Room:
    """The longest prompt that the model takes, and the tokens of its pictures."""

    most_tokens: int
    rule: Rule


@dataclass(frozen=True)
class Prompt:
    """`is_truncated` says that the text of a document is not whole."""

    messages: list[Message]
    is_truncated: bool = False


def fit_context(
    persona: Message,
    earlier: Sequence[PromptMessage],
    question: PromptMessage,
    room: Room,
) -> Prompt:
    """Return the prompt, without the oldest turns if it would exceed the budget.

    Texts of messages stay whole, and the earlier ones begin with a user message, because half
    a turn would confuse the model. Persona and question are always kept, with all pictures of
    the question. Documents get what is left: those of the question first, then those of the
    latest messages.
    """
    left = room.most_tokens - estimate_prompt_tokens([persona])
    asked = fitted(question, left, room.rule, keeps_pictures=True)
    left -= asked.tokens
    kept, begun = [asked], [asked]
    for message in reversed(earlier):
        shown = fitted(message, left, room.rule)
        left -= shown.tokens
        if left < 0:
            break
        begun.append(shown)
        if message.role == "user":
            kept = [*begun]
    else:
        kept = begun
    messages = [persona, *(shown.message for shown in reversed(kept))]
    return Prompt(messages, any(shown.is_cut for shown in kept))
