"""A copy of all that is stored of somebody: one JSON document, or a zip of tables."""

import json
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import IO, cast
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from functions.account.spool import Packed, Spool
from shared import settings
from shared.config import load
from shared.database.connection import Batches, Connection
from shared.exports import csv_file
from shared.exports.columns import NUMBER, TEXT, TIME, TRUTH, Column, Kind, columns
from shared.exports.datasets import AI_LABEL
from shared.exports.table import Table
from shared.repos.reports import own_data
from shared.times import iso_utc, now_ms
from shared.web.endpoint import Response

_MEDIA_TYPES = {"json": "application/json; charset=utf-8", "zip": "application/zip"}


@dataclass(frozen=True)
class Wanted:
    """`id` is that of the copy, for its label."""

    id: str
    user_id: str
    format: str

    @property
    def aigc(self) -> dict[str, str]:
        """The implicit label of GB 45438-2025, because a model wrote part of it."""
        return {"Label": "1", "ContentProducer": "fc-ai-backend", "ProduceID": self.id}


@dataclass(frozen=True)
class Dataset:
    """`rows` are those of one person, their values in the order of `columns`."""

    rows: Callable[[Connection, str], Batches]
    columns: tuple[Column, ...]


def _dataset(rows: Callable[[Connection, str], Batches], **kinds: Kind) -> Dataset:
    return Dataset(rows, columns(**kinds))


_DATASETS: Mapping[str, Dataset] = {
    "profile": _dataset(
        own_data.profile, id=TEXT, email=TEXT, username=TEXT, role=TEXT, created_at=TIME
    ),
    "sessions": _dataset(
        own_data.sessions, id=TEXT, device=TEXT, created_at=TIME, used_at=TIME, ended_at=TIME
    ),
    "conversations": _dataset(
        own_data.conversations, id=TEXT, title=TEXT, created_at=TIME, updated_at=TIME
    ),
    "messages": _dataset(
        lambda db, user_id: own_data.messages(db, user_id, label=AI_LABEL),
        id=TEXT,
        conversation_id=TEXT,
        created_at=TIME,
        role=TEXT,
        ai_generated=TRUTH,
        ai_label=TEXT,
        content=TEXT,
        model=TEXT,
        finish_reason=TEXT,
        prompt_tokens=NUMBER,
        completion_tokens=NUMBER,
    ),
    "usage": _dataset(
        own_data.usage,
        message_id=TEXT,
        conversation_id=TEXT,
        question=TEXT,
        day=TEXT,
        model=TEXT,
        state=TEXT,
        payment=TEXT,
        created_at=TIME,
        ended_at=TIME,
        prompt_tokens=NUMBER,
        cached_tokens=NUMBER,
        completion_tokens=NUMBER,
        charged_fen=NUMBER,
        receipt=TEXT,
    ),
    "transactions": _dataset(
        own_data.transactions,
        id=TEXT,
        entry_number=NUMBER,
        kind=TEXT,
        amount_fen=NUMBER,
        balance_after_fen=NUMBER,
        reason=TEXT,
        created_at=TIME,
    ),
    "orders": _dataset(
        own_data.orders,
        number=TEXT,
        package_id=TEXT,
        amount_fen=NUMBER,
        credit_fen=NUMBER,
        status=TEXT,
        transaction_id=TEXT,
        created_at=TIME,
        paid_at=TIME,
        refunded_at=TIME,
    ),
    "invites": _dataset(
        own_data.invites, code=TEXT, max_uses=NUMBER, used=NUMBER, created_at=TIME, expires_at=TIME
    ),
}


def take(db: Connection, wanted: Wanted) -> bytes:
    """In a transaction all of it is of one moment. Raises: CopyTooLarge."""
    spool = Spool(load(settings.Export).inline_bytes)
    with spool:
        if wanted.format == "zip":
            _write_tables(db, wanted, spool)
        else:
            _write_document(db, wanted, spool)
        return spool.read()


def answer(content: bytes, wanted: Wanted) -> Response:
    """`inline`, because the platform does not let `attachment` pass."""
    day = iso_utc(now_ms())[:10].replace("-", "")
    return Response.of(
        content,
        _MEDIA_TYPES[wanted.format],
        content_disposition=f'inline; filename="my-data-{day}.{wanted.format}"',
        x_aigc=_compact({"AIGC": wanted.aigc}),
    )


def _write_document(db: Connection, wanted: Wanted, spool: Spool) -> None:
    """Each table a list of objects, written a row at a time."""
    spool.write(f'{{"exported_at":"{iso_utc(now_ms())}","AIGC":{_compact(wanted.aigc)}'.encode())
    for name, dataset in _DATASETS.items():
        spool.write(f',"{name}":['.encode())
        with closing(dataset.rows(db, wanted.user_id)) as batches:
            table, comma = Table(dataset.columns, batches), ""
            for row in table:
                spool.write((comma + _compact(dict(zip(table.names, row, strict=True)))).encode())
                comma = ","
        spool.write(b"]")
    spool.write(b"}")


def _write_tables(db: Connection, wanted: Wanted, spool: Spool) -> None:
    with ZipFile(cast(IO[bytes], spool), "w") as archive:
        archive.comment = _compact({"AIGC": wanted.aigc}).encode()
        for name, dataset in _DATASETS.items():
            with (
                closing(dataset.rows(db, wanted.user_id)) as batches,
                archive.open(_entry(name), "w") as entry,
            ):
                csv_file.write(Table(dataset.columns, batches), Packed(spool, entry))


def _entry(name: str) -> ZipInfo:
    """Without a time of its own it would be from 1980."""
    entry = ZipInfo(f"{name}.csv", time.gmtime()[:6])
    entry.compress_type = ZIP_DEFLATED
    return entry


def _compact(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
