"""Refusals as real vendors word them: the status and the body of each, and what it means."""

import json
from typing import Any

from tests.fakes.upstream_scenarios import DONE, WORDS, chunk, event, streamed, whole

Refusal = tuple[int, dict[str, Any]]
_RISK = "The request was rejected because it was considered high risk"
_AZURE = "The prompt triggered Azure OpenAI's content management policy."
_OPENAI_LONG = (
    "This model's maximum context length is 8192 tokens. However, you requested 9000 tokens."
)
_VLLM_LONG = f"{_OPENAI_LONG} Please reduce the length of the messages or completion."


def _error(message: object, code: object = None, type_: object = None, **more: Any) -> Any:
    return {"error": {"message": message, "type": type_, "param": None, "code": code, **more}}


FILTERED: dict[str, Refusal] = {
    "dashscope": (
        400,
        {
            **_error(
                "Input data may contain inappropriate content.",
                *("data_inspection_failed", "data_inspection_failed"),
            ),
            "request_id": "deab386b",
        },
    ),
    "dashscope-own": (
        400,
        {
            "code": "DataInspectionFailed",
            "message": "Output data may contain x.",
            "request_id": "r",
        },
    ),
    "dashscope-text": (
        400,
        _error(
            "<400> InternalError.Algo.DataInspectionFailed: Input text data may contain "
            "inappropriate content.",
            "invalid_parameter_error",
            "invalid_request_error",
        ),
    ),
    "relay": (500, _error("Input data may contain inappropriate content.", "bad_response")),
    "ark": (
        400,
        _error(
            "The request failed because the input text may contain sensitive information.",
            "SensitiveContentDetected",
            "BadRequest",
        ),
    ),
    "ark-output": (400, _error("x", "OutputTextSensitiveContentDetected", "BadRequest")),
    "zhipu": (
        400,
        {"error": {"code": "1301", "message": "系统检测到输入或生成内容可能包含敏感内容"}},
    ),
    "azure": (
        400,
        _error(
            _AZURE,
            "content_filter",
            status=400,
            innererror={"code": "ResponsibleAIPolicyViolation"},
        ),
    ),
    "azure-inner": (400, _error("x", "bad", innererror={"code": "ResponsibleAIPolicyViolation"})),
    "deepseek": (
        400,
        _error("Content Exists Risk", "invalid_request_error", "invalid_request_error"),
    ),
    "deepseek-detail": (400, {"detail": "Content Exists Risk"}),
    "moonshot": (400, {"error": {"code": 400, "message": _RISK, "type": "content_filter"}}),
    "new-api": (400, _error("input contains words", "sensitive_words_detected", "new_api_error")),
    "stepfun": (451, _error("The content you provided is not allowed.", "x", "x")),
    "minimax": (200, {"base_resp": {"status_code": 1026, "status_msg": "input new_sensitive"}}),
    "openai": (
        400,
        _error(
            "Invalid prompt: we've limited access to this content for safety reasons.",
            "invalid_prompt",
            "invalid_request_error",
        ),
    ),
}
TOO_LONG: dict[str, Refusal] = {
    "openai": (400, _error(_OPENAI_LONG, "context_length_exceeded", "invalid_request_error")),
    "vllm": (
        400,
        {"object": "error", "message": _VLLM_LONG, "type": "BadRequestError", "code": 400},
    ),
    "dashscope": (
        400,
        _error(
            "<400> InternalError.Algo.InvalidParameter: Range of input length should be [1, 30720]",
            "invalid_parameter_error",
            "invalid_request_error",
        ),
    ),
    "ark": (
        400,
        _error(
            "Input length 9000 exceeds the maximum length 8192.", "InvalidParameter", "BadRequest"
        ),
    ),
    "zhipu": (400, {"error": {"code": "1261", "message": "Prompt 超长"}}),
    "moonshot": (
        400,
        _error(
            "Invalid request: Your request exceeded model token limit: 8192",
            type_="invalid_request_error",
        ),
    ),
    "mistral": (
        400,
        {
            "object": "error",
            "type": "invalid_request_prompt",
            "code": "3051",
            "message": "9000 tokens, too large for model with 8192 maximum context length",
        },
    ),
    "llama-cpp": (
        400,
        _error("the request exceeds it", 400, "exceed_context_size_error", n_ctx=4096),
    ),
    "siliconflow": (
        400,
        {
            "code": 20015,
            "data": None,
            "message": "length of prompt_tokens (9000) must be less than max_seq_len (8192).",
        },
    ),
    "groq": (
        413,
        _error(
            "Request too large for the model, please reduce your message size.",
            "rate_limit_exceeded",
            "tokens",
        ),
    ),
    "gateway": (413, {"message": "Request Entity Too Large"}),
}
REJECTED: dict[str, Refusal] = {
    "openai": (400, _error("Invalid 'top_p'.", "decimal_above_max_value", "invalid_request_error")),
    "deepseek": (422, _error("Failed to deserialize the JSON body", None, "invalid_request_error")),
    "mistral": (
        422,
        {
            "object": "error",
            "type": "invalid_request_error",
            "message": {"detail": [{"type": "less_than_equal", "loc": ["body", "top_p"]}]},
        },
    ),
    "fastapi": (422, {"detail": [{"loc": ["body", "top_p"], "msg": "too high"}]}),
    "zhipu": (400, {"error": {"code": "1214", "message": "Invalid top_p parameter."}}),
    "vllm": (
        400,
        {"object": "error", "message": "top_p must be in (0, 1]", "type": "BadRequestError"},
    ),
}
MISCONFIGURED: dict[str, Refusal] = {
    "401-openai": (401, _error("Incorrect API key provided.", "invalid_api_key")),
    "401-gemini": (400, _error("API key not valid. Please pass a valid API key.", 400)),
    "402-deepseek": (402, _error("Insufficient Balance", "invalid_request_error", "unknown_error")),
    "402-dashscope": (
        400,
        _error("Access denied, please make sure your account is in good standing.", "Arrearage"),
    ),
    "402-ark": (403, _error("x", "AccountOverdueError", "Forbidden")),
    "402-zhipu": (429, {"error": {"code": "1113", "message": "您的账户已欠费，请充值后重试。"}}),
    "402-moonshot": (
        429,
        _error("Your account is suspended", None, "exceeded_current_quota_error"),
    ),
    "402-siliconflow": (403, {"code": 30001, "message": "Sorry, your account balance is low"}),
    "402-minimax": (200, {"base_resp": {"status_code": 1008, "status_msg": "x"}}),
    "403-dashscope": (403, _error("Model access denied.", "Model.AccessDenied")),
    "403-free-tier": (403, _error("x", "AllocationQuota.FreeTierOnly")),
    "404-ark": (404, _error("x", "InvalidEndpointOrModel.NotFound", "NotFound")),
    "404-deepseek": (400, _error("Model Not Exist", "invalid_request_error")),
    "404-vllm": (404, {"object": "error", "message": "The model `x` does not exist.", "code": 404}),
    "404-zhipu": (400, {"error": {"code": "1211", "message": "模型不存在，请检查模型代码。"}}),
    "404-iflow": (200, {"status": "435", "msg": "Model not support", "body": None}),
    "404-nginx": (404, {}),
}
PASSING: dict[str, Refusal] = {
    "dashscope-tokens-per-minute": (
        429,
        _error(
            "You exceeded your current quota, please check your plan and billing details.",
            "insufficient_quota",
            "insufficient_quota",
        ),
    ),
    "zhipu-concurrency": (
        429,
        {"error": {"code": "1302", "message": "您当前使用该API的并发数过高"}},
    ),
    "minimax-rate": (200, {"base_resp": {"status_code": 1002, "status_msg": "rate limit"}}),
    "moonshot": (429, _error("The engine is overloaded", None, "engine_overloaded_error")),
}
KINDS = {
    "filtered": FILTERED,
    "too-long": TOO_LONG,
    "rejected": REJECTED,
    "misconfigured": MISCONFIGURED,
    "passing": PASSING,
}


def name_of(kind: str, vendor: str, place: str = "") -> str:
    """The scenario; `place` is empty (the HTTP error), "first" or "later" (an event)."""
    return "-".join(part for part in (kind, vendor, place) if part)


OF_VENDORS = set[str]()  # the names of these scenarios
for _kind, _refusals in KINDS.items():
    for _vendor, (_status, _body) in _refusals.items():
        whole(name_of(_kind, _vendor), _status, json.dumps(_body, ensure_ascii=False))
        streamed(name_of(_kind, _vendor, "first"), event(_body))
        streamed(name_of(_kind, _vendor, "later"), WORDS[0], event(_body))
        OF_VENDORS |= {name_of(_kind, _vendor, place) for place in ("", "first", "later")}

# How answers end in the words of vendors, and in those of OpenAI; None: the answer was cut off.
FINISH_REASONS = {
    "stop": "stop",
    "length": "length",
    "content_filter": "content_filter",
    "function_call": "function_call",
    "sensitive": "content_filter",
    "eos": "stop",
    "COMPLETE": "stop",
    "some_new_word": "stop",
    "max_tokens": "length",
    "model_length": "length",
    "repetition_truncation": "length",
    "insufficient_system_resource": None,
    "network_error": None,
    "abort": None,
    "error": None,
}
for _reason in FINISH_REASONS:
    streamed(f"finish-{_reason}", *WORDS, chunk({}, _reason), DONE)
    OF_VENDORS.add(f"finish-{_reason}")

# Some vendors send Retry-After where no repetition helps.
whole(
    "misconfigured-with-retry-after",
    429,
    json.dumps(MISCONFIGURED["402-zhipu"][1]),
    "Retry-After: 60",
)
OF_VENDORS.add("misconfigured-with-retry-after")
