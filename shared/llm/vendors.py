"""Request bodies for each vendor, recognised by the host of the upstream's URL."""

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from shared import settings

# DashScope, its regions (dashscope-intl, dashscope-us, ...) and its workspaces (*.maas).
_DASHSCOPE = re.compile(
    r"https?://(([\w.-]+\.)?dashscope[a-z-]*|[\w.-]+\.maas)\.aliyuncs\.com[:/]", re.IGNORECASE
)
# Vendors whose limit with reasoning is `max_completion_tokens`: OpenAI and Azure, xAI, Groq.
_COUNTS_REASONING = re.compile(
    r"https?://(api\.openai\.com|[\w-]+\.openai\.azure\.com|api\.x\.ai|api\.groq\.com)[:/]",
    re.IGNORECASE,
)
_LIMIT_WITH_REASONING = {"max_tokens": "max_completion_tokens"}
_HAS_BUDGET = re.compile(r"qwen", re.IGNORECASE)
_LARGEST_BUDGET = 32_768  # what every Qwen model takes
_ALWAYS_THINKS = re.compile(r"(qwq|qvq|deepseek-r1)\b|.*\bthinking\b", re.IGNORECASE)


def request_body(
    upstream: settings.Model,
    messages: Sequence[Mapping[str, object]],
    model: str,
    *,
    thinking: bool,
    options: Mapping[str, object] = MappingProxyType({}),
) -> dict[str, object]:
    """The body of a request, always for a stream: one code path and one set of time limits.

    `options` are fields of the chat completions API, such as `max_tokens`.
    """
    return {
        **_named_for(upstream.url, options),
        "model": model,
        "messages": list(messages),
        "stream": True,
        "stream_options": {"include_usage": True},
        **_additions(upstream.url, model, options, thinking=thinking),
    }


def _named_for(url: str, options: Mapping[str, object]) -> dict[str, object]:
    """Rename `max_tokens` where it does not limit reasoning, or is refused (API references)."""
    if not _COUNTS_REASONING.match(url):
        return dict(options)
    return {_LIMIT_WITH_REASONING.get(name, name): value for name, value in options.items()}


def _additions(
    url: str, model: str, options: Mapping[str, object], *, thinking: bool
) -> dict[str, object]:
    """Switch off thinking that is not shown, or limit it, where vendor and model can.

    Without the field a hybrid model follows its default. A model that always
    thinks takes no such field (Alibaba Cloud Model Studio, "Deep thinking").
    """
    if not _DASHSCOPE.match(url):
        return {}
    if thinking or _ALWAYS_THINKS.match(model):
        return _thinking_budget(model, options.get("max_tokens"))
    return {"enable_thinking": False}


def _thinking_budget(model: str, max_tokens: object) -> dict[str, object]:
    """Half of the tokens, so that the other half is left for the answer.

    On DashScope `max_tokens` limits only the answer. Qwen models from Qwen3 on take a
    budget; others take none.
    """
    if not _HAS_BUDGET.match(model) or not isinstance(max_tokens, int):
        return {}
    return {"thinking_budget": min(max(max_tokens // 2, 1), _LARGEST_BUDGET)}
