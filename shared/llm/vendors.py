"""What each vendor wants in a request, decided by the host it is sent to."""

import re
from collections.abc import Mapping, Sequence

from shared import settings

# DashScope, its regions (dashscope-intl, dashscope-us, ...) and its workspaces (*.maas).
_DASHSCOPE = re.compile(
    r"https?://(([\w.-]+\.)?dashscope[a-z-]*|[\w.-]+\.maas)\.aliyuncs\.com[:/]", re.IGNORECASE
)
_ALWAYS_THINKS = re.compile(r"(qwq|qvq|deepseek-r1)\b|.*\bthinking\b", re.IGNORECASE)


def request_body(
    upstream: settings.Model,
    messages: Sequence[Mapping[str, object]],
    model: str,
    *,
    thinking: bool,
) -> dict[str, object]:
    """Ask for a stream whatever our client asked for: one path, one set of time limits."""
    return {
        "model": model,
        "messages": list(messages),
        "stream": True,
        "stream_options": {"include_usage": True},
        **_additions(upstream.url, model, thinking=thinking),
    }


def _additions(url: str, model: str, *, thinking: bool) -> dict[str, object]:
    """Switch off thinking nobody will see, where the vendor and the model know the switch.

    Without the field a hybrid model follows its default. A model that always
    thinks takes no such field (Alibaba Cloud Model Studio, "Deep thinking").
    """
    if thinking or not _DASHSCOPE.match(url) or _ALWAYS_THINKS.match(model):
        return {}
    return {"enable_thinking": False}
