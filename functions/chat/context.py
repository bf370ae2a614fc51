"""How much of what was said before goes along with a question. Does no I/O."""

from collections.abc import Sequence
from typing import Any

from shared.llm.estimate import estimate_prompt_tokens

Message = dict[str, Any]


def fitting(
    persona: Message, before: Sequence[Message], question: Message, budget_tokens: int
) -> list[Message]:
    """All of it, or what is left when the oldest turns are dropped until it fits the budget.

    Messages stay whole, and what is left begins with a question: half a turn
    would only puzzle the model. Persona and question are kept whatever they take.
    """
    left = budget_tokens - estimate_prompt_tokens([persona, question])
    kept = len(before)
    for start in range(len(before) - 1, -1, -1):
        left -= estimate_prompt_tokens([before[start]])
        if left < 0:
            return [persona, *before[kept:], question]
        if before[start]["role"] == "user":
            kept = start
    return [persona, *before, question]
