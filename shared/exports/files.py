"""Export files: their formats, and the table that a request selects."""

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from shared.database.connection import Connection
from shared.exports import csv_file, ndjson_file, xlsx_file
from shared.exports.datasets import DATASETS
from shared.exports.export_request import ExportRequest
from shared.exports.sink import Sink
from shared.exports.table import Table, aigc_label, open_table


@dataclass(frozen=True)
class Format:
    media_type: str
    write: Callable[[Table, Sink], None]


FORMATS = {
    "csv": Format("text/csv; charset=utf-8", csv_file.write),
    "ndjson": Format("application/x-ndjson", ndjson_file.write),
    "xlsx": Format(
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", xlsx_file.write
    ),
}


def open_export(
    db: Connection, request: ExportRequest, export_id: str
) -> AbstractContextManager[Table]:
    """The table of the requested dataset and period, for one of FORMATS."""
    selection, label = DATASETS[request.dataset].exported, aigc(request, export_id)
    from_ms, to_ms = request.period_ms
    return open_table(db, selection, label, from_ms=from_ms, to_ms=to_ms)


def aigc(request: ExportRequest, export_id: str) -> str | None:
    """The implicit label of GB 45438-2025, for a dataset with text of a model."""
    if not DATASETS[request.dataset].has_ai_text:
        return None
    return json.dumps({"AIGC": aigc_label(export_id)}, separators=(",", ":"))
