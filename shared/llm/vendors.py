"""Vendors, recognised by the host of the upstream's URL, and the request bodies for each."""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType

from shared import settings

OPENAI, DASHSCOPE, ARK, DEEPSEEK = "openai", "dashscope", "ark", "deepseek"
ZHIPU, MOONSHOT, MISTRAL, XAI, GROQ = "zhipu", "moonshot", "mistral", "xai", "groq"
UNKNOWN = "unknown"  # any other host: a server or a gateway of the operator's choice
_HOSTS = {
    # OpenAI and Azure OpenAI
    OPENAI: r"api\.openai\.com|[\w-]+\.openai\.azure\.com|[\w-]+\.services\.ai\.azure\.com",
    # DashScope, its regions (dashscope-intl, dashscope-us, ...) and its workspaces (*.maas).
    DASHSCOPE: r"([\w.-]+\.)?dashscope[a-z-]*\.aliyuncs\.com|[\w.-]+\.maas\.aliyuncs\.com",
    # Volcano Engine (Doubao), in China and elsewhere
    ARK: r"ark\.([\w-]+\.)*(volces|bytepluses)\.com",
    DEEPSEEK: r"api\.deepseek\.com",
    ZHIPU: r"open\.bigmodel\.cn|api\.z\.ai",
    MOONSHOT: r"api\.moonshot\.(cn|ai)",
    MISTRAL: r"(api|codestral)\.mistral\.ai",
    XAI: r"([\w-]+\.)?api\.x\.ai",
    GROQ: r"api\.groq\.com",
}
_VENDORS = {
    name: re.compile(rf"https?://({hosts})[:/]", re.IGNORECASE) for name, hosts in _HOSTS.items()
}
# Vendors whose limit with reasoning is `max_completion_tokens`.
_COUNTS_REASONING = {OPENAI, XAI, GROQ}
_REFUSES_REASONING = {OPENAI, MISTRAL, GROQ}
_LIMIT_WITH_REASONING = {"max_tokens": "max_completion_tokens"}
_MISTRAL_NAMES = {"seed": "random_seed"}
_HAS_BUDGET = re.compile(r"qwen", re.IGNORECASE)
_LARGEST_BUDGET = 32_768  # what every Qwen model takes
_ALWAYS_THINKS = re.compile(r"(qwq|qvq|deepseek-r1)\b|.*\bthinking\b", re.IGNORECASE)


@lru_cache(maxsize=256)
def vendor_of(url: str) -> str:
    return next((name for name, host in _VENDORS.items() if host.match(url)), UNKNOWN)


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
        **_named_for(vendor_of(upstream.url), options),
        "model": model,
        "messages": _messages_for(vendor_of(upstream.url), messages),
        "stream": True,
        "stream_options": {"include_usage": True},
        **_thinking(vendor_of(upstream.url), model, options, thinking=thinking),
    }


def _messages_for(
    vendor: str, messages: Sequence[Mapping[str, object]]
) -> list[Mapping[str, object]]:
    """Leave out `reasoning_content` where it is refused in a message (API references)."""
    if vendor not in _REFUSES_REASONING:
        return list(messages)
    return [{name: one[name] for name in one if name != "reasoning_content"} for one in messages]


def _named_for(vendor: str, options: Mapping[str, object]) -> dict[str, object]:
    """Rename `max_tokens` where it does not limit reasoning, and `seed` (API references)."""
    if vendor == MISTRAL:
        return {_MISTRAL_NAMES.get(name, name): value for name, value in options.items()}
    if vendor in _COUNTS_REASONING:
        return {_LIMIT_WITH_REASONING.get(name, name): value for name, value in options.items()}
    return dict(options)


def _thinking(
    vendor: str, model: str, options: Mapping[str, object], *, thinking: bool
) -> dict[str, object]:
    """Switch off thinking that is not shown, or limit it, where vendor and model can.

    What the client asked for wins, but its budget never exceeds `max_tokens`. Without the
    field a hybrid model follows its default. A model that always thinks takes no such field
    (Alibaba Cloud Model Studio, "Deep thinking").
    """
    most, budget = options.get("max_tokens"), options.get("thinking_budget")
    if isinstance(budget, int) and isinstance(most, int):
        return {"thinking_budget": min(budget, most)}
    if vendor != DASHSCOPE or budget is not None:
        return {}
    given = options.get("enable_thinking")
    if given is False:
        return {}
    if given or thinking or _ALWAYS_THINKS.match(model):
        return _default_budget(model, most)
    return {"enable_thinking": False}


def _default_budget(model: str, max_tokens: object) -> dict[str, object]:
    """Half of the tokens, so that the other half is left for the answer.

    On DashScope `max_tokens` limits only the answer. Qwen models from Qwen3 on take a
    budget; others take none.
    """
    if not _HAS_BUDGET.match(model) or not isinstance(max_tokens, int):
        return {}
    return {"thinking_budget": min(max(max_tokens // 2, 1), _LARGEST_BUDGET)}
