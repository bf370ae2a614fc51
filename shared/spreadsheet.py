"""Lines of comma-separated values that spreadsheets open without harm (RFC 4180).

Not by the `csv` module: before Python 3.11 it cannot write a NUL.
"""

import codecs
import re
from collections.abc import Iterable

Cell = str | int | bool | None

CSV_MARK = codecs.BOM_UTF8  # without the mark Excel guesses another encoding

# What programs start a formula with, in every width they fold together, whatever blank or
# invisible characters stand before it; and the control characters that shift a cell's start.
_FORMULA = re.compile(
    r"[\s\x00-\x1f\x7f-\xa0\xad\u200b-\u200f\u2060-\u2064\ufeff]*[=+\-@＝＋－＠﹦﹢﹣﹫]|[\t\r\n\x00]"
)
_SPECIAL = re.compile(r'[",\r\n]')


def looks_like_formula(text: str) -> bool:
    """Whether a spreadsheet might run the text (OWASP, "CSV Injection")."""
    return _FORMULA.match(text) is not None


def csv_line(cells: Iterable[Cell]) -> bytes:
    """A file of them begins with CSV_MARK."""
    return (",".join(map(_field, cells)) + "\r\n").encode()


def _field(cell: Cell) -> str:
    if isinstance(cell, str):
        return csv_text(cell)
    if isinstance(cell, bool):
        return "true" if cell else "false"
    return "" if cell is None else str(cell)


def csv_text(text: str) -> str:
    """Text as one field: defused, and quoted where it must be."""
    return _quoted(f"'{text}" if looks_like_formula(text) else text)


def _quoted(text: str) -> str:
    if _SPECIAL.search(text) is None:
        return text
    doubled = text.replace('"', '""')
    return f'"{doubled}"'
