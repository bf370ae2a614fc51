"""Problems of input as people read them: one short sentence for each type of pydantic's errors."""

import re
from collections.abc import Mapping
from typing import Any

from shared.problems import Problem

_WHOLE_NUMBER = ("must be a whole number", "必须是整数")
_TRUE_OR_FALSE = ("must be true or false", "必须是 true 或 false")
_OBJECT = ("must be an object", "必须是对象")
_NO_TIME = ("is no date or time that exists", "不是存在的日期或时间")

# By the type of the error ("Validation Errors" in pydantic's manual); filled in with its context.
TEXTS: Mapping[str, tuple[str, str]] = {
    "missing": ("is required", "缺少此项"),
    "string_type": ("must be text", "必须是文本"),
    "string_too_short": ("must have at least {min_length} characters", "至少 {min_length} 个字符"),
    "string_too_long": ("must have at most {max_length} characters", "最多 {max_length} 个字符"),
    "int_type": _WHOLE_NUMBER,
    "int_parsing": _WHOLE_NUMBER,
    "int_from_float": _WHOLE_NUMBER,
    "finite_number": _WHOLE_NUMBER,
    "float_type": ("must be a number", "必须是数字"),
    "int_parsing_size": ("is too large a number", "数字过大"),
    "greater_than_equal": ("must be at least {ge}", "不能小于 {ge}"),
    "less_than_equal": ("must be at most {le}", "不能大于 {le}"),
    "bool_type": _TRUE_OR_FALSE,
    "bool_parsing": _TRUE_OR_FALSE,
    "list_type": ("must be a list", "必须是列表"),
    "too_short": ("must have a length of at least {min_length}", "长度至少为 {min_length}"),
    "too_long": ("must have a length of at most {max_length}", "长度最多为 {max_length}"),
    "literal_error": ("must be one of {listed}", "必须是以下之一：{listed}"),
    "model_type": _OBJECT,
    "model_attributes_type": _OBJECT,
    "datetime_parsing": _NO_TIME,
    "datetime_from_date_parsing": _NO_TIME,
}
_EMPTY = ("must not be empty", "不能为空")


def problem_of(error: Mapping[str, Any]) -> str:
    """The problem of one of pydantic's errors; our own validators raise ValueError(Problem)."""
    context = error.get("ctx", {})
    raised = getattr(context.get("error"), "args", ())
    if raised and isinstance(raised[0], Problem):
        return raised[0]
    if error["type"] not in TEXTS:
        return Problem(error["msg"].removeprefix("Value error, "), "不合法")
    en, zh = _EMPTY if context.get("min_length") == 1 else TEXTS[error["type"]]
    listed = ", ".join(re.findall(r"'([^']*)'", str(context.get("expected", ""))))
    return Problem(en.format(listed=listed, **context), zh.format(listed=listed, **context))
