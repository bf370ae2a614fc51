"""Field types for models and upstreams."""

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, StringConstraints

from shared.config import is_production
from shared.invisible import has_invisible, without_invisible
from shared.llm.addresses import is_written_inside
from shared.problems import Problem
from shared.settings import completions_url

_LONGEST_URL = 500
_CONTROLS = Problem(
    "must have no control characters and no invisible ones", "不能含有控制字符和不可见字符"
)


def _printable(text: str) -> str:
    if not text.isprintable() or has_invisible(text):
        raise ValueError(_CONTROLS)
    return text


def _title(text: str) -> str:
    """As above; but emoji and the words of some scripts hold characters without ink."""
    seen = without_invisible(text)
    if seen != text or any(one.isspace() and one != " " for one in text):
        raise ValueError(_CONTROLS)
    return text


def _without_blanks(text: str) -> str:
    if any(letter.isspace() for letter in text):
        raise ValueError(Problem("must have no blanks", "不能含有空白字符"))
    return _printable(text)


def _upstream_url(text: str) -> str:
    """A base URL or the full one. In production it must not name a private address."""
    try:
        url = completions_url(text)
    except ValueError as error:
        zh = "必须以 http:// 或 https:// 开头，并包含主机名"
        raise ValueError(Problem(str(error), zh)) from None
    parts = urlsplit(url)
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise ValueError(
            Problem("must have no user, no query and no fragment", "不能含有用户名、查询参数或片段")
        )
    if len(url) > _LONGEST_URL:
        raise ValueError(
            Problem(f"must have at most {_LONGEST_URL} characters", f"最多 {_LONGEST_URL} 个字符")
        )
    if is_production() and parts.scheme != "https":
        raise ValueError(Problem("must start with https://", "必须以 https:// 开头"))
    if is_production() and is_written_inside(parts.hostname or ""):
        raise ValueError(
            Problem(
                "must be on the public internet; UPSTREAMS takes others",
                "必须在公网上；内网地址请用 UPSTREAMS 配置",
            )
        )
    return url


def _key(secret: SecretStr) -> SecretStr:
    """An upstream key must fit into an Authorization header."""
    text = secret.get_secret_value()
    if not text.isascii():
        raise ValueError(Problem("must be ASCII", "只能含有 ASCII 字符"))
    _without_blanks(text)
    return secret


ModelName = Annotated[
    str, StringConstraints(min_length=1, max_length=128), AfterValidator(_without_blanks)
]
Title = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=100),
    AfterValidator(_title),
]
UpstreamName = Annotated[
    str, StringConstraints(min_length=1, max_length=64), AfterValidator(_without_blanks)
]
UpstreamUrl = Annotated[
    str, StringConstraints(max_length=_LONGEST_URL), AfterValidator(_upstream_url)
]
UpstreamKey = Annotated[SecretStr, Field(min_length=8, max_length=500), AfterValidator(_key)]
Weight = Annotated[int, Field(ge=1, le=100)]
