"""Pictures in the messages of a prompt, and their tokens by the rules of vendors.

A rule counts rather too much than too little, because the cost is reserved by it. Sources:
OpenAI, "Images and vision", calculating costs; Alibaba Cloud Model Studio, "Visual
understanding"; Volcano Engine Ark, "Visual understanding". Does no I/O.
"""

import re
from base64 import b64decode
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from math import ceil
from typing import Any

from shared.llm.vendors import ARK, DASHSCOPE, OPENAI
from shared.media.picture_size import HEAD_BYTES, Size, picture_size

_TOKENS, _DETAILED_TOKENS = 2560, 5120
_DETAILED = {"high", "original"}
_DATA = re.compile(r"data:image/[a-z]+;base64,")

# DashScope: a token for 32 x 32 pixels (Qwen3-VL), 28 x 28 in older models, up to the default
# limit of Qwen3-VL; and two marks. `detail` changes nothing there.
_QWEN_SIDE, _QWEN_FEWEST, _QWEN_MOST, _QWEN_MARKS = 28, 4, 2560, 2
# Ark: a token for 784 pixels, up to 5,120, or a quarter with low detail.
_ARK_PIXELS, _ARK_MOST, _ARK_MOST_LOW = 784, 5120, 1338
# OpenAI: a base and a price for each tile of 512 x 512 pixels of the picture, which is scaled to
# at most 2048 x 768; newer and smaller models count patches of 32 x 32 pixels, times a factor.
_TILES: tuple[tuple[str, int, int], ...] = (("gpt-4o-mini", 2833, 5667), ("", 85, 170))
_FACTORS: tuple[tuple[str, float, int], ...] = (
    ("nano", 2.46, 1536),
    ("mini", 1.72, 1536),
    ("", 1.0, 2500),
)
_MOST_TILES, _ORIGINAL_PATCHES, _LOW_PATCHES = 8, 10_000, 256


@dataclass(frozen=True)
class StoredPicture:
    """A picture in the storage, in the place of a URL. It is given a form for each upstream."""

    object_key: str
    content_type: str
    byte_count: int
    size: Size | None = None


Picture = Mapping[str, Any] | StoredPicture
Rule = Callable[[Picture], int]


def pictures_in(messages: Iterable[Mapping[str, Any]]) -> list[Picture]:
    """The `image_url` of each part that has one: a stored picture, or a URL and a detail."""
    contents = [message.get("content") for message in messages]
    return [
        part["image_url"]
        for content in contents
        if isinstance(content, list)
        for part in content
        if part["type"] == "image_url"
    ]


def without_data(messages: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The messages without the data of pictures. Links to pictures stay."""
    return [
        {**message, "content": [part for part in message["content"] if not _is_data(part)]}
        if isinstance(message.get("content"), list)
        else message
        for message in messages
    ]


def _is_data(part: Mapping[str, Any]) -> bool:
    return part["type"] == "image_url" and str(part["image_url"]["url"]).startswith("data:")


def picture_tokens(picture: Picture) -> int:
    """The tokens of a picture where no rule is known: the default limit of Qwen3-VL.

    In detail it may have twice as many.
    """
    return _DETAILED_TOKENS if _detail(picture) in _DETAILED else _TOKENS


def rule_of(vendor: str, vendor_model: str) -> Rule:
    """The rule of an upstream. It takes a picture of unknown size for the largest one."""
    if vendor == DASHSCOPE:
        return _qwen_tokens
    if vendor == ARK:
        return _ark_tokens
    if vendor == OPENAI:
        return partial(_openai_tokens, vendor_model)
    return picture_tokens


def _qwen_tokens(picture: Picture) -> int:
    squares = _squares(_size(picture), _QWEN_SIDE, _QWEN_MOST)
    return max(min(squares, _QWEN_MOST), _QWEN_FEWEST) + _QWEN_MARKS


def _ark_tokens(picture: Picture) -> int:
    size, most = _size(picture), _ARK_MOST_LOW if _detail(picture) == "low" else _ARK_MOST
    return most if size is None else min(ceil(size.width * size.height / _ARK_PIXELS), most)


def _openai_tokens(model: str, picture: Picture) -> int:
    """The higher one of both ways, because the name of a model does not tell which it has."""
    size, detail = _size(picture), _detail(picture)
    base, price = next((base, price) for name, base, price in _TILES if name in model)
    factor, most = next((factor, most) for name, factor, most in _FACTORS if name in model)
    most = {"original": _ORIGINAL_PATCHES, "low": _LOW_PATCHES}.get(detail, most)
    tiles = base if detail == "low" else base + price * _tiles(size)
    return max(tiles, ceil(factor * min(_squares(size, 32, most), most)))


def _tiles(size: Size | None) -> int:
    if size is None:
        return _MOST_TILES
    shrunk = min(1.0, 2048 / max(size))
    shrunk = min(shrunk, 768 / min(size))
    return ceil(size.width * shrunk / 512) * ceil(size.height * shrunk / 512)


def _squares(size: Size | None, side: int, most: int) -> int:
    """The squares that cover the picture; the most there can be if its size is not known."""
    return most if size is None else ceil(size.width / side) * ceil(size.height / side)


def _detail(picture: Picture) -> str:
    return "" if isinstance(picture, StoredPicture) else str(picture.get("detail") or "")


def _size(picture: Picture) -> Size | None:
    """The size that is stored, or in the first bytes of a data URI; None for a link."""
    if isinstance(picture, StoredPicture):
        return picture.size
    url = str(picture["url"])
    found = _DATA.match(url)
    if not found:
        return None
    head = url[found.end() : found.end() + HEAD_BYTES * 4 // 3]
    return picture_size(b64decode(head[: len(head) // 4 * 4]))
