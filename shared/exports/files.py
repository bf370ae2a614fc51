"""An export as a file: which formats there are, and writing one."""

import json
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass

from shared.database.connection import Connection
from shared.exports import csv_file, ndjson_file, xlsx_file
from shared.exports.datasets import DATASETS
from shared.exports.export_request import Wanted
from shared.exports.sink import Sink
from shared.exports.table import Table


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


@contextmanager
def opened(db: Connection, wanted: Wanted, export_id: str) -> Iterator[Table]:
    """Lend the table that FORMATS write."""
    dataset = DATASETS[wanted.dataset]
    with closing(dataset.rows(db, *wanted.period_ms)) as batches:
        yield Table(dataset.columns, batches, aigc(wanted, export_id))


def aigc(wanted: Wanted, export_id: str) -> str | None:
    """The implicit label of GB 45438-2025 for a file that holds text of a model."""
    if not DATASETS[wanted.dataset].has_ai_text:
        return None
    label = {"Label": "1", "ContentProducer": "fc-ai-backend", "ProduceID": export_id}
    return json.dumps({"AIGC": label}, separators=(",", ":"))
