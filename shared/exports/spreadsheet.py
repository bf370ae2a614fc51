"""CSV lines (RFC 4180) without texts that a spreadsheet runs as formulas.

Not written with the `csv` module: before Python 3.11 it cannot write a NUL.
"""

import codecs
import re
from collections.abc import Iterable, Sequence

from shared.invisible import INVISIBLE

Cell = str | int | float | bool | None

CSV_MARK = codecs.BOM_UTF8  # without the mark Excel guesses another encoding

# The characters that start a formula, in every width that programs treat alike, with any blank
# or invisible characters before them; and the control characters that move a cell's start.
_FORMULA = re.compile(rf"[\s{INVISIBLE}]*[=+\-@＝＋－＠﹦﹢﹣﹫]|[\t\r\n\x00]")
_SPECIAL = re.compile(r'[",\r\n]')
# The first bytes, in UTF-8, of all that may stand before or begin a formula, and of some more.
_RISKY = bytes([*range(0x21), *b"+-=@", 0x7F, 0xC2, 0xCD, 0xD8, 0xE1, 0xE2, 0xE3, 0xEF, 0xF0, 0xF3])
_RISKY_STARTS = frozenset(bytes([byte]) for byte in _RISKY)
_RISKY_LINE = re.compile(rb"\n[%b]" % re.escape(_RISKY.replace(b"\n", b"")))


def looks_like_formula(text: str) -> bool:
    """Whether a spreadsheet might run the text (OWASP, "CSV Injection")."""
    return _FORMULA.match(text) is not None


def csv_line(cells: Iterable[Cell]) -> bytes:
    """One line; a file begins with CSV_MARK."""
    return (",".join(map(_field, cells)) + "\r\n").encode()


def _field(cell: Cell) -> str:
    if isinstance(cell, str):
        return _text(cell)
    if isinstance(cell, bool):
        return "true" if cell else "false"
    return "" if cell is None else str(cell)


def _text(text: str) -> str:
    return _quoted(f"'{text}" if looks_like_formula(text) else text)


def _quoted(text: str) -> str:
    if _SPECIAL.search(text) is None:
        return text
    doubled = text.replace('"', '""')
    return f'"{doubled}"'


def csv_texts(column: Sequence[bytes]) -> Iterable[bytes]:
    """Turn many UTF-8 texts into fields like csv_line, in a tenth of the time.

    All texts are searched at once; only if one of them needs escaping is each checked.
    """
    lines = b"\n".join([b"", *column])
    if lines.count(b"\n") > len(column) or b'"' in lines or b"," in lines or b"\r" in lines:
        return map(_text_in_utf8, column)
    return map(_text_in_utf8, column) if _RISKY_LINE.search(lines) else column


def _text_in_utf8(text: bytes) -> bytes:
    if text[:1] in _RISKY_STARTS:
        return _text(text.decode()).encode()
    if b'"' in text:
        return b'"' + text.replace(b'"', b'""') + b'"'
    if b"," in text or b"\n" in text or b"\r" in text:
        return b'"' + text + b'"'
    return text
