"""One export as the body of an answer: bounded, counted and hashed."""

import hashlib
from dataclasses import dataclass

from functions.export.spool import Spool
from shared import settings
from shared.config import load
from shared.database.connection import Connection
from shared.exports import files
from shared.exports.export_request import Wanted


@dataclass(frozen=True)
class File:
    rows: int
    body: bytes

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.body).hexdigest()


def take(db: Connection, wanted: Wanted, export_id: str) -> File:
    """Write what is wanted into a file. Raises: ExportTooLarge."""
    with (
        files.opened(db, wanted, export_id) as table,
        Spool(load(settings.Export).inline_bytes) as spool,
    ):
        files.FORMATS[wanted.format].write(table, spool)
        return File(table.count, spool.read())
