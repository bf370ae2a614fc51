"""The CSV format, safe to open in spreadsheets."""

from collections.abc import Sequence

from shared.exports.columns import Column, RawRow
from shared.exports.sink import Sink
from shared.exports.spreadsheet import CSV_MARK, csv_line
from shared.exports.table import Table


def write(table: Table, sink: Sink) -> None:
    """Raises: ExportTooLarge."""
    sink.write(CSV_MARK)
    sink.write(csv_line(table.names))
    for batch in table.raw():
        sink.write(_lines(table.columns, batch))


def _lines(columns: Sequence[Column], batch: Sequence[RawRow]) -> bytes:
    written = (
        column.csv(values) for column, values in zip(columns, zip(*batch, strict=True), strict=True)
    )
    return b"\r\n".join([*map(b",".join, zip(*written, strict=True)), b""])
