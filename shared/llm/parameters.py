"""Parameters of chat completions: which are sent on, to which vendors, and which are refused.

Sources: OpenAI's API reference ("Create chat completion") and those of the vendors. A parameter
that this table does not have is unknown and is refused, so that no request is answered as if it
had not been made. Does no I/O.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal

from shared.llm.vendors import (
    ARK,
    DASHSCOPE,
    DEEPSEEK,
    GROQ,
    MISTRAL,
    MOONSHOT,
    OPENAI,
    UNKNOWN,
    XAI,
    ZHIPU,
    vendor_of,
)


@dataclass(frozen=True)
class Parameter:
    """`use` says what happens to it.

    - `ours`: this service does it.
    - `sent`: it is sent to the upstream; `vendors` are those that know it, None means all.
    - `ignored`: it changes nothing about the answer, or is bookkeeping of OpenAI's own service.
    - `refused`: it cannot be done here, except for `defaults`, the values that ask for nothing.
    """

    use: Literal["ours", "sent", "ignored", "refused"]
    vendors: frozenset[str] | None = None
    defaults: tuple[object, ...] = ()
    advice: str = ""


def _known_to(*vendors: str) -> Parameter:
    """An upstream at an unknown host is sent every parameter.

    It is a server or a gateway that the operator chose (vLLM, LiteLLM, one-api). It knows the
    parameters of the models behind it, and refuses or ignores others as it does for all clients.
    """
    return Parameter("sent", frozenset({*vendors, UNKNOWN}))


_OURS = Parameter("ours")
_SENT = Parameter("sent")
_IGNORED = Parameter("ignored")

OPENAI_PARAMETERS: Mapping[str, Parameter] = {
    **dict.fromkeys(("messages", "model", "stream", "stream_options"), _OURS),
    **dict.fromkeys(("max_tokens", "max_completion_tokens"), _OURS),
    **dict.fromkeys(("temperature", "top_p", "stop", "seed"), _SENT),
    **dict.fromkeys(("presence_penalty", "frequency_penalty"), _SENT),
    **dict.fromkeys(("tools", "tool_choice", "parallel_tool_calls", "response_format"), _SENT),
    "logit_bias": _known_to(OPENAI, ARK),
    "prediction": _known_to(OPENAI, MISTRAL),
    "reasoning_effort": _known_to(OPENAI, ARK, DEEPSEEK, MISTRAL, XAI, GROQ),
    "verbosity": _known_to(OPENAI),
    **dict.fromkeys(("user", "metadata", "safety_identifier", "service_tier"), _IGNORED),
    **dict.fromkeys(
        ("prompt_cache_key", "prompt_cache_options", "prompt_cache_retention"), _IGNORED
    ),
    "n": Parameter("refused", defaults=(1,), advice="send the request several times"),
    "store": Parameter("refused", defaults=(False,), advice="completions are not stored here"),
    "logprobs": Parameter("refused", defaults=(False,)),
    "top_logprobs": Parameter("refused", defaults=(0,)),
    "modalities": Parameter("refused", defaults=(["text"],), advice="answers are text"),
    "audio": Parameter("refused", advice="answers are text"),
    "moderation": Parameter("refused"),
    "web_search_options": Parameter("refused"),
    "functions": Parameter("refused", advice="use tools"),
    "function_call": Parameter("refused", advice="use tool_choice"),
}

VENDOR_PARAMETERS: Mapping[str, Parameter] = {
    "enable_thinking": _known_to(DASHSCOPE),
    "thinking_budget": _known_to(DASHSCOPE),
    "enable_search": Parameter("refused", defaults=(False,), advice="its cost has no price here"),
    "search_options": Parameter("refused"),
    "top_k": _known_to(DASHSCOPE),
    "repetition_penalty": _known_to(DASHSCOPE),
    "thinking": _known_to(ARK, ZHIPU, DEEPSEEK, MOONSHOT),
    "do_sample": _known_to(ZHIPU),
    "tool_stream": _known_to(ZHIPU),
    "random_seed": _known_to(MISTRAL),
    "safe_prompt": _known_to(MISTRAL),
    "prompt_mode": _known_to(MISTRAL),
    # vLLM and SGLang
    **dict.fromkeys(("chat_template_kwargs", "min_p", "stop_token_ids"), _known_to()),
    **dict.fromkeys(("guided_json", "guided_regex", "guided_choice"), _known_to()),
    # Names of a request or of a user, for the vendor's records (Zhipu)
    **dict.fromkeys(("request_id", "user_id"), _IGNORED),
}

PARAMETERS: Mapping[str, Parameter] = {**OPENAI_PARAMETERS, **VENDOR_PARAMETERS}
SENT = frozenset(name for name, parameter in PARAMETERS.items() if parameter.use == "sent")


def knows(url: str, name: str) -> bool:
    """Whether the upstream at this URL knows a parameter that is sent on."""
    vendors = PARAMETERS[name].vendors if name in PARAMETERS else None
    return vendors is None or vendor_of(url) in vendors


def problems_of(request: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """The parameters that are refused, each with the reason. Null means that it is not given."""
    for name, value in request.items():
        parameter = PARAMETERS.get(name)
        if parameter is None:
            yield name, f"is not a parameter{_nearest(name)}"
        elif parameter.use == "refused" and not _is_default(value, parameter):
            advice = f"; {parameter.advice}" if parameter.advice else ""
            yield name, f"is not supported{_allowed(parameter)}{advice}"


def _nearest(name: str) -> str:
    found = get_close_matches(name[:64], PARAMETERS, n=1, cutoff=0.7)
    return f"; did you mean {found[0]}?" if found else ""


def _is_default(value: object, parameter: Parameter) -> bool:
    """1 is not true, and 0 is not false."""
    is_one = any(type(value) is type(one) and value == one for one in parameter.defaults)
    return value is None or is_one


def _allowed(parameter: Parameter) -> str:
    return f", except {json.dumps(parameter.defaults[0])}" if parameter.defaults else ""
