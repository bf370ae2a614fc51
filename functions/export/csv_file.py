"""Comma-separated values, for spreadsheets."""

from functions.export.spool import Spool
from functions.export.table import Table
from shared.spreadsheet import CSV_MARK, csv_line


def write(table: Table, spool: Spool) -> None:
    """Raises: ExportTooLarge."""
    spool.write(CSV_MARK)
    spool.write(csv_line(table.columns))
    for row in table:
        spool.write(csv_line(row))
