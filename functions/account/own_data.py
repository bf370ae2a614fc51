"""The copy of one's own data (OWN_DATASETS): one JSON document, or a zip of CSV tables."""

import json
import time
from dataclasses import dataclass
from typing import IO, cast
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from functions.account.spool import Packed, Spool
from shared import settings
from shared.config import load
from shared.database.connection import Connection
from shared.exports import csv_file
from shared.exports.datasets import OWN_DATASETS
from shared.exports.table import aigc_label, open_table
from shared.times import iso_utc, now_ms
from shared.web.endpoint import Response

_MEDIA_TYPES = {"json": "application/json; charset=utf-8", "zip": "application/zip"}


@dataclass(frozen=True)
class CopyRequest:
    """`id` is that of the copy, for its label."""

    id: str
    user_id: str
    format: str

    @property
    def aigc(self) -> dict[str, str]:
        """The implicit label of GB 45438-2025, because the copy has text of a model."""
        return aigc_label(self.id)


def write(db: Connection, request: CopyRequest) -> bytes:
    """Return the copy as a file; in a transaction it is one snapshot. Raises: CopyTooLarge."""
    spool = Spool(load(settings.Export).inline_bytes)
    with spool:
        if request.format == "zip":
            _write_tables(db, request, spool)
        else:
            _write_document(db, request, spool)
        return spool.read()


def response(content: bytes, request: CopyRequest) -> Response:
    """`inline`, because the platform removes `attachment`."""
    day = iso_utc(now_ms())[:10].replace("-", "")
    return Response.of(
        content,
        _MEDIA_TYPES[request.format],
        content_disposition=f'inline; filename="my-data-{day}.{request.format}"',
        x_aigc=_compact({"AIGC": request.aigc}),
    )


def _write_document(db: Connection, request: CopyRequest, spool: Spool) -> None:
    """One list of objects per dataset, written row by row."""
    spool.write(f'{{"exported_at":"{iso_utc(now_ms())}","AIGC":{_compact(request.aigc)}'.encode())
    for name, dataset in OWN_DATASETS.items():
        spool.write(f',"{name}":['.encode())
        with open_table(db, dataset.own, user_id=request.user_id) as table:
            comma = ""
            for row in table:
                spool.write((comma + _compact(dict(zip(table.names, row, strict=True)))).encode())
                comma = ","
        spool.write(b"]")
    spool.write(b"}")


def _write_tables(db: Connection, request: CopyRequest, spool: Spool) -> None:
    with ZipFile(cast(IO[bytes], spool), "w") as archive:
        archive.comment = _compact({"AIGC": request.aigc}).encode()
        for name, dataset in OWN_DATASETS.items():
            with (
                open_table(db, dataset.own, user_id=request.user_id) as table,
                archive.open(_entry(name), "w") as entry,
            ):
                csv_file.write(table, Packed(spool, entry))


def _entry(name: str) -> ZipInfo:
    """With the current time; the default would be 1980."""
    entry = ZipInfo(f"{name}.csv", time.gmtime()[:6])
    entry.compress_type = ZIP_DEFLATED
    return entry


def _compact(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
