"""Token estimates for upstreams that do not report their counts. Does no I/O."""

import json
import re
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from copy import copy
from types import MappingProxyType
from typing import Any

from shared.errors import PromptTooLong
from shared.llm.pictures import Rule, picture_tokens, pictures_in
from shared.problems import Problem, detail

_FIRST_WIDE = "\u2e80"  # from here on: CJK, kana, hangul, full-width forms, emoji
_WIDE = re.compile(f"[{_FIRST_WIDE}-\U0010ffff]")
NARROW_PER_TOKEN = 4
# Options that the model reads, or that are charged as if it did.
_READ = ("tools", "response_format", "prediction", "chat_template_kwargs")


def require_short(tokens: int, longest: int, *, field: str) -> None:
    """Check the tokens of a prompt; `field` of the request is the long one.

    Raises: PromptTooLong.
    """
    if tokens > longest:
        problem = Problem(
            f"about {tokens} tokens, and at most {longest} are allowed",
            f"约 {tokens} 个 token，最多允许 {longest} 个",
        )
        raise PromptTooLong(details=[detail(field, problem)])


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
        return self._wide + -(-self._narrow // NARROW_PER_TOKEN)

    def tokens_since(self, earlier: "TextEstimate") -> int:
        """The tokens of what was added after an earlier state of this estimate."""
        narrow = self._narrow - earlier._narrow
        return self._wide - earlier._wide + -(-narrow // NARROW_PER_TOKEN)


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


def estimate_prompt_tokens(
    messages: Iterable[Mapping[str, Any]],
    options: Mapping[str, Any] = MappingProxyType({}),
    rule: Rule = picture_tokens,
) -> int:
    """The tokens of all messages with their pictures, and of the options that the model reads.

    `rule` counts the tokens of one picture.
    """
    messages = list(messages)
    given = [json.dumps(options[name], ensure_ascii=False) for name in _READ if options.get(name)]
    texts = sum(map(_message_tokens, messages)) + sum(map(estimate_tokens, given))
    return texts + sum(map(rule, pictures_in(messages)))


def _message_tokens(message: Mapping[str, Any]) -> int:
    """The texts, parts and tool calls of one message."""
    content, calls = message.get("content"), message.get("tool_calls") or ()
    functions = [call["function"] for call in calls]
    return estimate_tokens(
        *([content] if isinstance(content, str) else [_part_text(one) for one in content or ()]),
        *(str(message.get(field) or "") for field in ("name", "refusal", "reasoning_content")),
        *(function["name"] + function["arguments"] for function in functions),
    )


def _part_text(part: Mapping[str, Any]) -> str:
    return str(part.get("text") or part.get("refusal") or "")
