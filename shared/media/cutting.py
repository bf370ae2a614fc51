"""Cutting a text to a limit where a reader would: at a paragraph. Does no I/O."""

import re
from bisect import bisect_right
from collections.abc import Callable, Sequence

_ENDS = (
    re.compile(r"\n\s*\n"),  # of a paragraph
    re.compile(r"\n"),
    re.compile(r"(?<=[。！？；])|(?<=[.!?;])\s"),
    re.compile(r"\s"),
)


def cut(text: str, limit: int, count: Callable[[str], int] = len) -> str:
    """The longest beginning that ends with a paragraph and that `count` finds within the limit.

    Where that would lose more than half of what fits, it ends with a line, a sentence or
    a word, the first that does not. A longer text must not count less.
    """
    if count(text) <= limit:
        return text
    fitting = text[: _fitting_length(text, limit, count)]
    size = len(fitting)
    for end in _ENDS:
        matches = end.finditer(text, size // 2, size + 2)
        starts = [match.start() for match in matches if match.start() <= size]
        if starts:
            return text[: starts[-1]].rstrip()
    return fitting


def _fitting_length(text: str, limit: int, count: Callable[[str], int]) -> int:
    lengths = range(1, len(text) + 1)
    return bisect_right(lengths, limit, key=lambda length: count(text[:length]))


def shares(sizes: Sequence[int], total: int) -> list[int]:
    """The part of the total for each size: all that it needs, or as much as any other gets."""
    parts, left = [0] * len(sizes), max(total, 0)
    smallest_first = sorted(range(len(sizes)), key=sizes.__getitem__)
    for done, index in enumerate(smallest_first):
        parts[index] = min(sizes[index], left // (len(sizes) - done))
        left -= parts[index]
    return parts
