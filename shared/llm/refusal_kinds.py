"""Kinds of refusals, recognised by vendors' statuses, codes and texts. Does no I/O.

Codes are compared first: they are the vendor's own decision. A text is only read where the code
says nothing, because it may quote the conversation. `insufficient_quota` with 429 is not a lack
of money: DashScope has that code for its limit of tokens per minute.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from shared.errors import (
    ContentFiltered,
    ContextLengthExceeded,
    UpstreamBusy,
    UpstreamFailed,
    UpstreamMisconfigured,
    UpstreamRejected,
    UpstreamTimeout,
)


@dataclass(frozen=True, slots=True)
class Kind:
    """`trouble` is what the operator must mend: 401 key, 402 money, 403 permission, 404 model."""

    error: type[UpstreamFailed]
    trouble: int | None = None


_BUSY = Kind(UpstreamBusy)
_TIMED_OUT = Kind(UpstreamTimeout)
_FILTERED = Kind(ContentFiltered)
_TOO_LONG = Kind(ContextLengthExceeded)
_REJECTED = Kind(UpstreamRejected)
_KEY, _MONEY, _PERMISSION, _MODEL = (
    Kind(UpstreamMisconfigured, trouble) for trouble in (401, 402, 403, 404)
)

_BY_STATUS = {
    **dict.fromkeys((429, 449, 503, 529), _BUSY),  # 449 is iFlow's rate limit, 529 an overload
    **dict.fromkeys((408, 504, 524), _TIMED_OUT),
    **dict.fromkeys((400, 422), _REJECTED),
    401: _KEY,
    402: _MONEY,
    403: _PERMISSION,
    434: _PERMISSION,  # 434: Zhipu
    **dict.fromkeys((404, 405, 410), _MODEL),
    413: _TOO_LONG,
    451: _FILTERED,  # 451: StepFun
}

Rules = tuple[tuple[Kind, re.Pattern[str]], ...]


def _rules(*rules: tuple[Kind, str]) -> Rules:
    return tuple((kind, re.compile(pattern, re.IGNORECASE)) for kind, pattern in rules)


_MONEY_CODES = _rules(
    (
        _MONEY,
        r"arrear|overdue|billing|payment|insufficient.?(balance|credit|user.?quota)"
        r"|exceeded.?current.?quota|\b(1113|1309|30001|base_resp_1008)\b",
    ),
)
_REQUEST_CODES = _rules(
    (
        _FILTERED,
        r"data.?inspection|sensitive|illegal.?detected|content.?(filter|policy|risk)|moderation"
        r"|responsible.?ai|risk.?detect|censor|prompt.?blocked"
        r"|\b(1301|10013|10014|10019|base_resp_102[67])\b",
    ),
    (
        _TOO_LONG,
        r"context.?(length|window|size)|(prompt|input|tokens?|message).{0,9}too.?(long|large)"
        r"|too.?many.?tokens|request.?too.?large|string.?above.?max"
        r"|\b(1261|3051|10907|base_resp_1039)\b",
    ),
)
_OPERATOR_CODES = _rules(
    (_KEY, r"api.?key|authentication|unauthenticated|\bbase_resp_(1004|2049)\b"),
    (
        _MODEL,
        r"model.?not|not.?found|invalid.?(model|endpoint)|unsupported.?model"
        r"|\b(1211|20012|30003)\b",
    ),
    (
        _PERMISSION,
        r"access.?denied|permission|forbidden|free.?tier|account.?(suspend|disabl|lock)"
        r"|\b(111[0-2]|112[01]|122[0-2])\b",
    ),
)
_PASSING_CODES = _rules(
    (
        _BUSY,
        r"rate.?limit|throttl|overload|too.?many|limit_requests|\bbase_resp_(1002|1041)\b",
    ),
    (_TIMED_OUT, r"time.?out|\bbase_resp_1001\b"),
)
_REQUEST_TEXTS = _rules(
    (
        _FILTERED,
        r"inappropriate content|content exists risk|considered high risk|content management policy"
        r"|sensitive (content|words?|information)|new_sensitive|content (filter|policy)"
        r"|for safety reasons|requires moderation|敏感|不安全|违规内容|内容安全",
    ),
    (
        _TOO_LONG,
        r"maximum (context|prompt|input|model) length|(prompt|input) is too long"
        r"|context (window|length|size)|range of input length|reduce the length"
        r"|model token limit|(input|prompt).{0,30}(exceed|too long)|max_seq_len"
        r"|exceed.{0,20}max.{0,20}(tokens|length)|too many tokens|超长|过长|最大长度|上下文长度",
    ),
)
_OPERATOR_TEXTS = _rules(
    (_KEY, r"(invalid|incorrect|wrong|expired) api.?key|api.?key.{0,9}(not valid|invalid|expired)"),
    (
        _MONEY,
        r"balance.{0,20}(insufficient|too low)|insufficient.{0,9}balance|arrears|欠费|余额不足",
    ),
    (_MODEL, r"model not (exist|found|support)|model .{0,80}(not exist|not found)|模型不存在"),
)
_INVALID_CODE = _rules((_REJECTED, r"invalid.?(request|param|argument)|bad.?request"))


def kind_of(status: int, codes: str, text: str, *, quotes_conversation: bool) -> Kind:
    """Choose the kind of a refusal, which may also be an event inside a 200.

    `codes` are all that the vendor calls the error. What only the operator can mend is not
    recognised by a text that quotes the conversation: any user could write that.
    """
    status = _status_of(status, codes)
    is_client_error = status == 200 or 400 <= status < 500
    found = list[tuple[Rules, str]]()
    if is_client_error:
        found.append((_MONEY_CODES, codes))
    if _BY_STATUS.get(status) not in (_BUSY, _TIMED_OUT):
        found.append((_REQUEST_CODES, codes))
        found += [(_OPERATOR_CODES, codes)] if is_client_error else []
        found += [(_PASSING_CODES, codes)] if status in (200, 400) else []
        found.append((_REQUEST_TEXTS, text))
        found += [(_OPERATOR_TEXTS, text)] if is_client_error and not quotes_conversation else []
    fallback = _BY_STATUS.get(status) or (
        _first([(_INVALID_CODE, codes)]) if status == 200 else None
    )
    return _first(found) or fallback or Kind(UpstreamFailed)


def _status_of(status: int, codes: str) -> int:
    """Inside a 200, a vendor's code may be an HTTP status."""
    numbers = re.findall(r"\b[45][0-9]{2}\b", codes) if status == 200 else []
    return int(numbers[0]) if numbers else status


def _first(rules_and_texts: Iterable[tuple[Rules, str]]) -> Kind | None:
    for rules, text in rules_and_texts:
        for kind, pattern in rules:
            if pattern.search(text):
                return kind
    return None
