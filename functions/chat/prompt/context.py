"""Context of a question: the earlier messages that fit the token budget. Does no I/O."""

from collections.abc import Sequence
from typing import Any

from shared.llm.estimate import estimate_prompt_tokens

Message = dict[str, Any]


def fit_context(
    persona: Message, earlier: Sequence[Message], question: Message, budget_tokens: int
) -> list[Message]:
    """Return the prompt, without the oldest turns if it would exceed the budget.

    Messages stay whole, and the earlier ones begin with a user message, because half
    a turn would confuse the model. Persona and question are always kept.
    """
    left = budget_tokens - estimate_prompt_tokens([persona, question])
    kept_from = len(earlier)
    for start in range(len(earlier) - 1, -1, -1):
        left -= estimate_prompt_tokens([earlier[start]])
        if left < 0:
            return [persona, *earlier[kept_from:], question]
        if earlier[start]["role"] == "user":
            kept_from = start
    return [persona, *earlier, question]
