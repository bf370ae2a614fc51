"""Token estimates for upstreams that do not report their counts. Does no I/O."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

_FIRST_WIDE = "\u2e80"  # from here on: CJK, kana, hangul, full-width forms, emoji
_WIDE = re.compile(f"[{_FIRST_WIDE}-\U0010ffff]")
_NARROW_PER_TOKEN = 4


def estimate_tokens(text: str) -> int:
    """One token for a wide character, one for each four others.

    The second is OpenAI's rule of thumb for English ("What are tokens and how to
    count them?"). The first is on the high side for models trained on Chinese
    (DeepSeek gives 0.6, "Token & Token Usage") and fits others.
    """
    narrow = len(_WIDE.sub("", text))
    return len(text) - narrow + -(-narrow // _NARROW_PER_TOKEN)


def estimate_prompt_tokens(messages: Iterable[Mapping[str, Any]]) -> int:
    """The tokens of all contents, each a text or a list of parts with a text each."""
    contents = (message["content"] for message in messages)
    return sum(
        estimate_tokens(
            content if isinstance(content, str) else "".join(part["text"] for part in content)
        )
        for content in contents
    )
