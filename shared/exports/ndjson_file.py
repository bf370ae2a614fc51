"""The NDJSON format: one JSON object per line, with the stored values unchanged."""

import json

from shared.exports.sink import Sink
from shared.exports.table import Table


def write(table: Table, sink: Sink) -> None:
    """Raises: ExportTooLarge."""
    names = table.names
    for row in table:
        line = json.dumps(
            dict(zip(names, row, strict=True)), ensure_ascii=False, separators=(",", ":")
        )
        sink.write(line.encode() + b"\n")
