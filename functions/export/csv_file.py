"""Comma-separated values that spreadsheets open without harm (RFC 4180).

Not by the `csv` module: before Python 3.11 it cannot write a NUL.
"""

import codecs
import re
from collections.abc import Sequence

from functions.export.cells import looks_like_formula
from functions.export.datasets import Cell
from functions.export.spool import Spool
from functions.export.table import Table

_SPECIAL = re.compile(r'[",\r\n]')


def write(table: Table, spool: Spool) -> None:
    """Raises: ExportTooLarge."""
    spool.write(codecs.BOM_UTF8)  # without the mark Excel guesses another encoding
    spool.write(_line(table.columns))
    for row in table:
        spool.write(_line(row))


def _line(row: Sequence[Cell]) -> bytes:
    return (",".join(map(_field, row)) + "\r\n").encode()


def _field(cell: Cell) -> str:
    if isinstance(cell, str):
        return _quoted(f"'{cell}" if looks_like_formula(cell) else cell)
    if isinstance(cell, bool):
        return "true" if cell else "false"
    return "" if cell is None else str(cell)


def _quoted(text: str) -> str:
    if _SPECIAL.search(text) is None:
        return text
    doubled = text.replace('"', '""')
    return f'"{doubled}"'
