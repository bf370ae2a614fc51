"""Invisible characters: which they are, and where joiners and selectors belong. Does no I/O."""

import re
import unicodedata

# The inside of a character class of `re`: Default_Ignorable_Code_Point of Unicode 16, controls
# that are not white space, separators of lines, and signs without ink. Not the visible signs of
# the category Cf, such as U+0600.
INVISIBLE = (
    "\x00-\x08\x0e-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f"
    "\u2028-\u202e\u2060-\u206f\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffc"
    "\U0001bca0-\U0001bca3\U0001d159\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
_INVISIBLE = re.compile(f"[{INVISIBLE}]")
_NON_JOINER, _JOINER = "\u200c", "\u200d"
_SELECTORS = re.compile("[\ufe00-\ufe0f\u180b-\u180d\u180f]")
_IDEOGRAPHIC_SELECTORS = re.compile("[\U000e0100-\U000e01ef]")
_FLAG = re.compile("\U0001f3f4[\U000e0020-\U000e007e]{1,8}\U000e007f")  # such as that of Scotland
_SELECTABLE = {"So", "Sm", "Sk", "Nd", "Po", "Lo"}
_VIRAMA = 9  # the combining class of signs that join consonants
_CURSIVE = re.compile("[\u0600-\u077f\u0870-\u08ff]")  # Arabic and Syriac: letters join
# Letters of these scripts that never join the next one, so that nothing need keep them apart.
_LAST_OF_JOINED = re.compile(
    "[\u0621-\u0625\u0627\u0629\u062f-\u0632\u0648\u0671-\u0677\u0688-\u0699\u06c0\u06c3-\u06cb"
    "\u06cd\u06cf\u06d2\u06d3\u06d5\u06e5\u06e6\u06ee\u06ef\u0710\u0715-\u0719\u071e\u0728\u072a\u072c\u072f"
    "\u074d\u0759-\u075b\u076b\u076c\u0771\u0773\u0774\u0778\u0779\u0870-\u0882\u0887\u088e\u08aa-\u08ae"
    "\u08b1\u08b2\u08b9\u08c9]"
)
# The scripts whose names are spelled with marks and joiners: Arabic to Thaana, those of India and
# its neighbours.
_MARKED = re.compile(
    "[\u0600-\u08ff\u0900-\u0dff\u1000-\u109f\u1780-\u17ff\u1b00-\u1bff\ua800-\ua9ff\uaa60-\uaaff"
    "\uabc0-\uabff\U00011000-\U00011fff]"
)


def has_invisible(name: str) -> bool:
    """Whether a name has characters that cannot be seen, or that turn the direction of others.

    Joiners may stand where they change what is seen (RFC 5892, appendix A.1 and A.2).
    """
    return any(
        not _joins(name, position)
        for position, character in enumerate(name)
        if _INVISIBLE.match(character) or unicodedata.category(character) == "Cf"
    )


def is_spelling_mark(character: str) -> bool:
    """Whether it is a vowel sign or a joiner, as names in many scripts of Asia need them."""
    is_mark = unicodedata.category(character) in {"Mn", "Mc"} and _MARKED.match(character)
    return bool(is_mark) or character in {_NON_JOINER, _JOINER}


def without_invisible(text: str) -> str:
    """The text as it is seen: joiners, selectors and tags stay only where they belong."""
    if _INVISIBLE.search(text) is None:
        return text
    flags = {at for flag in _FLAG.finditer(text) for at in range(*flag.span())}
    kept: list[str] = []
    for position, character in enumerate(text):
        is_seen = position in flags or _INVISIBLE.match(character) is None
        if is_seen or _joins(text, position) or _belongs("".join(kept[-1:]), text, position):
            kept.append(character)
    return "".join(kept)


def _joins(text: str, position: int) -> bool:
    """Whether a joiner at this position changes the shape of its neighbours."""
    character, next_at = text[position], position + 1
    before, after = text[max(position - 8, 0) : position], text[next_at : next_at + 8]
    if character not in {_NON_JOINER, _JOINER} or not before or not after:
        return False
    if unicodedata.combining(before[-1]) == _VIRAMA:
        return after[0].isalpha()
    if unicodedata.combining(after[0]) == _VIRAMA:  # as in Bengali
        return before[-1].isalpha() and character == _JOINER
    return character == _NON_JOINER and _joins_next(before) and _is_cursive_letter(after)


def _joins_next(before: str) -> bool:
    letters = _without_marks(before)[-1:]
    return _is_cursive_letter(letters) and _LAST_OF_JOINED.match(letters) is None


def _is_cursive_letter(text: str) -> bool:
    letter = _without_marks(text)[:1]
    return letter.isalpha() and _CURSIVE.match(letter) is not None


def _without_marks(text: str) -> str:
    return "".join(one for one in text if unicodedata.category(one) != "Mn")


def _belongs(before: str, text: str, position: int) -> bool:
    """Whether it belongs to an emoji or chooses the form of `before`, which it follows."""
    if not before:
        return False
    character, after = text[position], text[position + 1 : position + 2]
    kind = unicodedata.category(before)
    if character == _JOINER:
        is_emoji = kind in {"So", "Sk"} or before == "\ufe0f"
        return is_emoji and bool(after) and unicodedata.category(after) == "So"
    if _IDEOGRAPHIC_SELECTORS.match(character):
        return kind == "Lo"
    return _SELECTORS.match(character) is not None and kind in _SELECTABLE
