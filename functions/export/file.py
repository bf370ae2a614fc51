"""One export as a file: read from the database, bounded, counted and labelled."""

import hashlib
import json
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass

from functions.export import csv_file, ndjson_file, xlsx_file
from functions.export.datasets import DATASETS
from functions.export.spool import Spool
from functions.export.table import Table
from functions.export.wanted import Wanted
from shared import settings
from shared.config import load
from shared.db import Connection


@dataclass(frozen=True)
class Format:
    media_type: str
    write: Callable[[Table, Spool], None]


FORMATS = {
    "csv": Format("text/csv; charset=utf-8", csv_file.write),
    "ndjson": Format("application/x-ndjson", ndjson_file.write),
    "xlsx": Format(
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", xlsx_file.write
    ),
}


@dataclass(frozen=True)
class File:
    rows: int
    body: bytes

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.body).hexdigest()


def take(db: Connection, wanted: Wanted, export_id: str) -> File:
    """Write what is wanted into a file. Raises: ExportTooLarge."""
    dataset = DATASETS[wanted.dataset]
    limit_bytes = load(settings.Export).inline_bytes
    with (
        closing(dataset.rows(db, wanted.from_ms, wanted.to_ms)) as rows,
        Spool(limit_bytes) as spool,
    ):
        table = Table(tuple(dataset.columns), map(dataset.cells, rows), aigc(wanted, export_id))
        FORMATS[wanted.format].write(table, spool)
        return File(table.count, spool.read())


def aigc(wanted: Wanted, export_id: str) -> str | None:
    """The implicit label of GB 45438-2025 for a file that holds text of a model."""
    if not DATASETS[wanted.dataset].has_ai_text:
        return None
    label = {"Label": "1", "ContentProducer": "fc-ai-backend", "ProduceID": export_id}
    return json.dumps({"AIGC": label}, separators=(",", ":"))
