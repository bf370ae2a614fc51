"""Title of a conversation, made from its first question. Does no I/O."""

import unicodedata

from shared.invisible import without_invisible

_CHARACTERS = 40
_SOURCE_CHARACTERS = 400  # some of them may be invisible
_UNNAMED = "…"
_JOINER = "\u200d"
_SKIN_TONES = range(0x1F3FB, 0x1F400)
_TAGS = range(0xE0020, 0xE0080)
_REGIONAL = range(0x1F1E6, 0x1F200)


def title_of(question: str) -> str:
    """The beginning of the question on one line, cut between words if one ends near the end."""
    line = " ".join(without_invisible(question[:_SOURCE_CHARACTERS]).split())
    if len(line) <= _CHARACTERS:
        return line or _UNNAMED
    end = _CHARACTERS
    while end and _is_inside(line, end):
        end -= 1
    cut = line[: end or _CHARACTERS]
    words, blank, rest = cut.rpartition(" ")
    is_cut_word = line[len(cut)] != " " and rest.isascii()
    return words if blank and is_cut_word and len(words) > _CHARACTERS // 2 else cut.rstrip()


def _is_inside(text: str, position: int) -> bool:
    """Say whether a cut here would split what is read as one character."""
    before, after = text[position - 1], text[position]
    if before == _JOINER or after == _JOINER or unicodedata.category(after).startswith("M"):
        return True
    if ord(after) in _SKIN_TONES or ord(after) in _TAGS:
        return True
    return ord(after) in _REGIONAL and _flags_before(text, position) % 2 == 1


def _flags_before(text: str, position: int) -> int:
    """The number of regional letters in a row; two are a flag."""
    count = 0
    while count < position and ord(text[position - 1 - count]) in _REGIONAL:
        count += 1
    return count
