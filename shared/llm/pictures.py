"""Pictures in the messages of a prompt. Does no I/O."""

from collections.abc import Iterable, Mapping
from typing import Any

_TOKENS, _DETAILED_TOKENS = 2560, 5120
_DETAILED = {"high", "original"}


def pictures_in(messages: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The `image_url` of each part that has one: a URL, and maybe a level of detail."""
    contents = [message.get("content") for message in messages]
    return [
        part["image_url"]
        for content in contents
        if isinstance(content, list)
        for part in content
        if part["type"] == "image_url"
    ]


def picture_tokens(picture: Mapping[str, Any]) -> int:
    """The tokens of a picture, whose size is not known: the default limit of Qwen3-VL.

    In detail it may have twice as many (Doubao Seed). OpenAI's models count less
    for most pictures.
    """
    return _DETAILED_TOKENS if picture.get("detail") in _DETAILED else _TOKENS
