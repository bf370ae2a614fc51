"""Request bodies for each vendor, recognised by the host of the upstream's URL."""

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from shared import settings

# DashScope, its regions (dashscope-intl, dashscope-us, ...) and its workspaces (*.maas).
_DASHSCOPE = re.compile(
    r"https?://(([\w.-]+\.)?dashscope[a-z-]*|[\w.-]+\.maas)\.aliyuncs\.com[:/]", re.IGNORECASE
)
_OPENAI = re.compile(r"https?://api\.openai\.com[:/]", re.IGNORECASE)
_OPENAI_NAMES = {"max_tokens": "max_completion_tokens"}
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
        **_additions(upstream.url, model, thinking=thinking),
    }


def _named_for(url: str, options: Mapping[str, object]) -> dict[str, object]:
    """Rename `max_tokens` for OpenAI, whose reasoning models refuse it (API reference)."""
    if not _OPENAI.match(url):
        return dict(options)
    return {_OPENAI_NAMES.get(name, name): value for name, value in options.items()}


def _additions(url: str, model: str, *, thinking: bool) -> dict[str, object]:
    """Switch off thinking that is not shown, where vendor and model have the switch.

    Without the field a hybrid model follows its default. A model that always
    thinks takes no such field (Alibaba Cloud Model Studio, "Deep thinking").
    """
    if thinking or not _DASHSCOPE.match(url) or _ALWAYS_THINKS.match(model):
        return {}
    return {"enable_thinking": False}
