"""One JSON object per line, exactly as it is stored."""

import json

from functions.export.spool import Spool
from functions.export.table import Table


def write(table: Table, spool: Spool) -> None:
    """Raises: ExportTooLarge."""
    for row in table:
        line = json.dumps(
            dict(zip(table.columns, row, strict=True)), ensure_ascii=False, separators=(",", ":")
        )
        spool.write(line.encode() + b"\n")
