"""Tokens of a picture by the rules of vendors, in the examples of their documentation."""

import base64

import pytest

from shared.llm.pictures import StoredPicture, picture_tokens, rule_of
from shared.llm.vendors import ARK, DASHSCOPE, OPENAI, UNKNOWN
from shared.media.picture_size import Size
from tests.media_files import png

LINK = {"url": "https://pictures.example.com/cat.png"}


def picture(width: int, height: int) -> StoredPicture:
    return StoredPicture("key", "image/png", 100, Size(width, height))


@pytest.mark.parametrize(
    ("vendor", "model", "size", "tokens"),
    [
        (OPENAI, "gpt-4o", (2048, 4096), 2500),  # 1,105 by tiles: newer models count patches
        (OPENAI, "gpt-4o", (512, 512), 256),
        (OPENAI, "gpt-4o", (16, 16), 85 + 170),
        (OPENAI, "gpt-4o-mini", (1024, 1024), 2833 + 4 * 5667),
        (OPENAI, "gpt-5-mini", (1024, 1024), 1762),  # 1.72 tokens for each of 1,024 patches
        (OPENAI, "gpt-5-nano", (4096, 4096), 3779),
        (DASHSCOPE, "qwen-vl-max", (1024, 1024), 37 * 37 + 2),
        (DASHSCOPE, "qwen-vl-max", (8000, 8000), 2560 + 2),
        (DASHSCOPE, "qwen-vl-max", (1, 1), 4 + 2),
        (ARK, "ep-1", (784, 784), 784),
        (ARK, "ep-1", (8000, 8000), 5120),
        (UNKNOWN, "any", (10, 10), 2560),
    ],
)
def test_a_picture_counts_by_its_size(
    vendor: str, model: str, size: tuple[int, int], tokens: int
) -> None:
    assert rule_of(vendor, model)(picture(*size)) == tokens


@pytest.mark.parametrize("vendor", [OPENAI, DASHSCOPE, ARK, UNKNOWN])
def test_a_picture_of_unknown_size_counts_as_the_largest(vendor: str) -> None:
    rule = rule_of(vendor, "a-model")

    assert rule(LINK) == max(rule(picture(side, side)) for side in (100, 1000, 10_000))


@pytest.mark.parametrize(
    ("vendor", "detail", "tokens"),
    [(OPENAI, "low", 256), (OPENAI, "original", 10_000), (ARK, "low", 1338), (ARK, "high", 5120)],
)
def test_the_level_of_detail_counts(vendor: str, detail: str, tokens: int) -> None:
    assert rule_of(vendor, "a-model")({**LINK, "detail": detail}) == tokens


def test_the_size_of_data_is_in_its_first_bytes() -> None:
    data = base64.b64encode(png(280, 280, bytes(200_000))).decode()
    rule = rule_of(DASHSCOPE, "qwen-vl-max")

    assert rule({"url": f"data:image/png;base64,{data}"}) == 100 + 2
    assert rule({"url": "data:image/png;base64,AAAA"}) == 2560 + 2


def test_where_no_rule_is_known_the_default_limit_of_qwen_counts() -> None:
    assert picture_tokens(LINK) == 2560
    assert picture_tokens({**LINK, "detail": "high"}) == 5120
