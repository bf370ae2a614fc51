"""Token estimates for upstreams that do not report their counts. Does no I/O."""

import re
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from copy import copy
from typing import Any

_FIRST_WIDE = "\u2e80"  # from here on: CJK, kana, hangul, full-width forms, emoji
_WIDE = re.compile(f"[{_FIRST_WIDE}-\U0010ffff]")
_NARROW_PER_TOKEN = 4


class TextEstimate:
    """Tokens of a text that arrives in parts: one for a wide character, one for each four others.

    The second is OpenAI's rule of thumb for English ("What are tokens and how to
    count them?"). The first is on the high side for models trained on Chinese
    (DeepSeek gives 0.6, "Token & Token Usage") and fits others.
    """

    def __init__(self) -> None:
        self._wide = self._narrow = 0

    def add(self, text: str) -> None:
        narrow = len(text) if text.isascii() else len(_WIDE.sub("", text))
        self._narrow += narrow
        self._wide += len(text) - narrow

    def with_text(self, text: str) -> "TextEstimate":
        """A copy, with this text added."""
        longer = copy(self)
        longer.add(text)
        return longer

    @property
    def tokens(self) -> int:
        return self._wide + -(-self._narrow // _NARROW_PER_TOKEN)

    def tokens_since(self, earlier: "TextEstimate") -> int:
        """The tokens of what was added after an earlier state of this estimate."""
        narrow = self._narrow - earlier._narrow
        return self._wide - earlier._wide + -(-narrow // _NARROW_PER_TOKEN)


def estimate_tokens(*texts: str) -> int:
    """The tokens of the texts as one."""
    estimate = TextEstimate()
    for text in texts:
        estimate.add(text)
    return estimate.tokens


def beginning(text: str, tokens: int) -> str:
    """The longest beginning of the text that has no more than so many tokens."""
    lengths = range(1, len(text) + 1)
    return text[: bisect_right(lengths, tokens, key=lambda n: estimate_tokens(text[:n]))]


def estimate_prompt_tokens(messages: Iterable[Mapping[str, Any]]) -> int:
    """The tokens of all contents, each a text or a list of parts with a text each."""
    contents = (message["content"] for message in messages)
    return sum(
        estimate_tokens(
            content if isinstance(content, str) else "".join(part["text"] for part in content)
        )
        for content in contents
    )
