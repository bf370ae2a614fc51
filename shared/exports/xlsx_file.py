"""A workbook of one sheet, written row by row so that memory stays flat."""

import shutil
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from shared.errors import SheetFull
from shared.exports.sink import Sink
from shared.exports.spreadsheet import Cell, looks_like_formula
from shared.exports.table import Table
from shared.problems import Problem, detail
from shared.repos.reports.content_datasets import AI_LABEL

if TYPE_CHECKING:  # the library is loaded for workbooks only
    from xlsxwriter.format import Format
    from xlsxwriter.workbook import Workbook
    from xlsxwriter.worksheet import Worksheet

# Excel's limits ("Excel specifications and limits"); its characters are UTF-16 units.
_MOST_ROWS = 1_048_576
_LONGEST_CELL = 32_767
_CUT = "…[cut]"

# Before it is packed the sheet lies on disk twice: 2 x 7 x 30 MB must fit into the 512 MB of /tmp.
_MOST_UNPACKED = 7
_ROWS_BETWEEN_LOOKS = 100

_OPTIONS = {
    "constant_memory": True,
    "strings_to_formulas": False,
    "strings_to_numbers": False,
    "strings_to_urls": False,
}


def write(table: Table, sink: Sink, *, most_rows: int = _MOST_ROWS) -> None:
    """Raises: ExportTooLarge."""
    from xlsxwriter import Workbook

    with TemporaryDirectory() as folder:
        packed = Path(folder, "export.xlsx")
        book = Workbook(str(packed), {**_OPTIONS, "tmpdir": folder})
        _label(book, table)
        _fill(book, _bounded(table, Path(folder), most_rows, sink))
        book.close()
        with packed.open("rb") as file:
            shutil.copyfileobj(file, sink)


def _label(book: "Workbook", table: Table) -> None:
    if table.aigc:
        book.set_properties({"comments": AI_LABEL})
        book.set_custom_property("AIGC", table.aigc)


def _bounded(table: Table, folder: Path, most_rows: int, sink: Sink) -> Iterator[Sequence[Cell]]:
    """Heading and rows, while they fit on one sheet and the written part fits on the disk."""
    yield table.names
    most = _MOST_UNPACKED * sink.limit_bytes
    for row in table:
        if table.count == most_rows:
            most = most_rows - 1
            problem = Problem(
                f"a sheet holds at most {most} rows below its heading",
                f"一张工作表除标题外最多 {most} 行",
            )
            raise SheetFull(details=[detail("query.format", problem)])
        if table.count % _ROWS_BETWEEN_LOOKS == 0 and _size(folder) > most:
            raise sink.too_large()
        yield row


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.iterdir())


def _fill(book: "Workbook", rows: Iterable[Sequence[Cell]]) -> None:
    sheet, as_text = book.add_worksheet(), book.add_format({"quote_prefix": True})
    sheet.freeze_panes(1, 0)
    for number, row in enumerate(rows):
        for column, cell in enumerate(row):
            if isinstance(cell, str):
                _write_text(sheet, number, column, _fitting(cell), as_text)
            elif cell is not None:
                sheet.write(number, column, cell)


def _write_text(sheet: "Worksheet", row: int, column: int, text: str, as_text: "Format") -> None:
    """Write text that stays text, also when the cell is edited."""
    if text.startswith("<r>") and text.endswith("</r>"):
        # xlsxwriter reads such a text as its own XML; in two parts it is escaped.
        sheet.write_rich_string(row, column, text[:1], as_text, text[1:])
    else:
        sheet.write(row, column, text, as_text if looks_like_formula(text) else None)


def _fitting(text: str) -> str:
    if 2 * len(text) <= _LONGEST_CELL:
        return text
    units = text.encode("utf-16-le")
    if len(units) <= 2 * _LONGEST_CELL:
        return text
    return units[: 2 * (_LONGEST_CELL - len(_CUT))].decode("utf-16-le", "ignore") + _CUT
