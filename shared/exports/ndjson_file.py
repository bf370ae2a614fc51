"""The NDJSON format: one JSON object per line, with the stored values unchanged."""

from shared.exports.sink import Sink
from shared.exports.table import Table
from shared.json_line import json_line


def write(table: Table, sink: Sink) -> None:
    """Raises: ExportTooLarge."""
    names = table.names
    for row in table:
        line = json_line(dict(zip(names, row, strict=True)))
        sink.write(line.encode() + b"\n")
