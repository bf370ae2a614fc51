"""Writing an export into the body of the answer, with its row count and hash."""

import hashlib
from dataclasses import dataclass

from functions.export.spool import Spool
from shared import settings
from shared.config import load
from shared.database.connection import Connection
from shared.exports import files
from shared.exports.export_request import ExportRequest


@dataclass(frozen=True)
class InlineFile:
    rows: int
    body: bytes

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.body).hexdigest()


def write(db: Connection, request: ExportRequest, export_id: str) -> InlineFile:
    """Write the requested rows into a file in memory. Raises: ExportTooLarge."""
    with (
        files.open_export(db, request, export_id) as table,
        Spool(load(settings.Export).inline_bytes) as spool,
    ):
        files.FORMATS[request.format].write(table, spool)
        return InlineFile(table.count, spool.read())
