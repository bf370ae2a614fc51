"""Pictures in the body of POST /v1/chat/completions: a URL for the upstream, or the data.

The data is bounded by the limit of the body. Does no I/O: this service never opens the URL
of a picture.
"""

import binascii
import re
from base64 import b64decode
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict

MOST_PICTURES = 10
_LONGEST_URL = 4096
_DATA = re.compile(r"data:image/(png|jpeg|webp|gif);base64,")


def _picture_url(url: str) -> str:
    found = _DATA.match(url)
    if found:
        _check_data(url[found.end() :])
    elif not url.startswith("https://"):
        raise ValueError("must be https:// or data:image/(png|jpeg|webp|gif);base64,")
    elif len(url) > _LONGEST_URL or not url.isprintable() or not _host(url):
        raise ValueError(f"must be a URL of at most {_LONGEST_URL} characters")
    return url


def _host(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None


def _check_data(text: str) -> None:
    try:
        data = b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        data = b""
    if not data:
        raise ValueError("must have valid base64 data")


class ImageUrl(BaseModel):
    model_config = ConfigDict(extra="forbid")
    url: Annotated[str, AfterValidator(_picture_url)]
    detail: Literal["auto", "low", "high", "original"] | None = None


class ImagePart(BaseModel):
    model_config = ConfigDict(extra="forbid")
    type: Literal["image_url"]
    image_url: ImageUrl
