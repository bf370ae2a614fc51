"""Field types for models and upstreams."""

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, StringConstraints

from shared.config import is_production
from shared.invisible import has_invisible, without_invisible
from shared.llm.addresses import is_written_inside
from shared.settings import completions_url

_LONGEST_URL = 500


def _printable(text: str) -> str:
    if not text.isprintable() or has_invisible(text):
        raise ValueError("must have no control characters and no invisible ones")
    return text


def _title(text: str) -> str:
    """As above; but emoji and the words of some scripts hold characters without ink."""
    seen = without_invisible(text)
    if seen != text or any(one.isspace() and one != " " for one in text):
        raise ValueError("must have no control characters and no invisible ones")
    return text


def _without_blanks(text: str) -> str:
    if any(letter.isspace() for letter in text):
        raise ValueError("must have no blanks")
    return _printable(text)


def _upstream_url(text: str) -> str:
    """A base URL or the full one. In production it must not name a private address."""
    url = completions_url(text)
    parts = urlsplit(url)
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise ValueError("must have no user, no query and no fragment")
    if len(url) > _LONGEST_URL:
        raise ValueError(f"must have at most {_LONGEST_URL} characters")
    if is_production() and parts.scheme != "https":
        raise ValueError("must start with https://")
    if is_production() and is_written_inside(parts.hostname or ""):
        raise ValueError("must be on the public internet; UPSTREAMS takes others")
    return url


def _key(secret: SecretStr) -> SecretStr:
    """An upstream key must fit into an Authorization header."""
    text = secret.get_secret_value()
    if not text.isascii():
        raise ValueError("must be ASCII")
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
