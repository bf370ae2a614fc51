"""Export: requests that are too large are refused early and leave no files."""

import tempfile
from pathlib import Path
from typing import Any

import pytest

from functions.export.spool import Spool
from shared.database.connection import Connection
from shared.database.transactions import read
from shared.errors import ExportTooLarge
from shared.exports import xlsx_file
from shared.exports.columns import NUMBER, TEXT, Column
from shared.exports.datasets import DATASETS
from shared.exports.table import Table
from tests.conftest import Configure
from tests.functions.exports.exporting import (
    add_messages,
    add_rows,
    admin_token,
    ask,
    audit_entries,
    message,
    sheet_rows,
)

FORMATS = ["csv", "ndjson", "xlsx"]
EVER_MS = 10**15


@pytest.fixture
def temporary(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty folder in which all temporary files are created."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("kind", ["csv", "ndjson"])
def test_the_limit_itself_leaves_and_one_byte_more_does_not(
    kind: str, configure: Configure
) -> None:
    token = admin_token()
    add_messages(*(message(number, f"第 {number} 条") for number in range(100)))
    whole = ask(token, dataset="messages", format=kind).body
    configure(EXPORT_INLINE_BYTES=str(len(whole)))
    assert ask(token, dataset="messages", format=kind).body == whole
    configure(EXPORT_INLINE_BYTES=str(len(whole) - 1))
    assert ask(token, dataset="messages", format=kind).status == 413


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("kind", FORMATS)
def test_what_is_too_large_is_refused_with_a_way_out(
    kind: str, configure: Configure, temporary: Path
) -> None:
    token = admin_token()
    add_messages(*(message(number, str(number) * 90) for number in range(1200)))
    configure(EXPORT_INLINE_BYTES="9000")
    reply = ask(token, dataset="messages", format=kind)
    problem = (
        "an inline answer carries at most 9000 bytes; delivery=link needs object storage, which"
        " this deployment does not have, so narrow it with from and to"
    )
    assert (reply.status, reply.error) == (413, "export_too_large")
    assert reply.json["details"] == [{"field": "query.delivery", "problem": problem}]
    assert (audit_entries(), list(temporary.iterdir())) == ([], [])
    narrowed = ask(token, dataset="messages", format=kind, to="2026-11-22T12:00:00.009Z")
    assert (narrowed.status, list(temporary.iterdir())) == (200, [])


@pytest.mark.usefixtures("database")
def test_a_refusal_speaks_the_language_of_the_caller(configure: Configure) -> None:
    token = admin_token()
    configure(EXPORT_INLINE_BYTES="1024")
    add_messages(message(1, "x" * 1024))
    reply = ask(token, language="zh-CN", dataset="messages")
    assert reply.json["message"] == "导出内容超过单次响应上限，请用 from 和 to 缩小范围。"


def test_a_sheet_is_full_when_excel_says_so() -> None:
    def rows(count: int) -> Table:
        batches = ([[b"%d" % number]] for number in range(count))
        return Table([Column("number", NUMBER)], batches)

    with Spool(100_000) as spool:
        xlsx_file.write(rows(9), spool, most_rows=10)
        assert sheet_rows(spool.read()) == [["number"], *([number] for number in range(9))]
    with Spool(100_000) as spool, pytest.raises(ExportTooLarge) as refusal:
        xlsx_file.write(rows(10), spool, most_rows=10)
    problem = "a sheet holds at most 9 rows below its heading"
    assert refusal.value.details == [{"field": "query.format", "problem": problem}]


def test_a_sheet_that_would_fill_the_disk_is_not_written_to_its_end(temporary: Path) -> None:
    table = Table([Column("text", TEXT)], ([[b"x" * 1000]] * 50 for _ in range(2000)))
    with Spool(10_000) as spool, pytest.raises(ExportTooLarge):
        xlsx_file.write(table, spool)
    assert table.count == 100
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize("database", ["mariadb"], indirect=True)
@pytest.mark.usefixtures("database")
def test_the_first_row_does_not_wait_for_a_sort() -> None:
    def sorted_rows(db: Connection) -> list[dict[str, Any]]:
        for dataset in DATASETS.values():
            list(dataset.exported.read(db, from_ms=0, to_ms=EVER_MS))
        return db.find_all(dict, "SHOW SESSION STATUS WHERE Variable_name LIKE 'Sort_rows'")

    add_messages(*(message(number, "x") for number in range(50)))
    assert read(sorted_rows) == [{"Variable_name": "Sort_rows", "Value": "0"}]
    add_rows(at=range(50))
    assert read(sorted_rows) == [{"Variable_name": "Sort_rows", "Value": "0"}]


@pytest.mark.parametrize("database", ["mariadb"], indirect=True)
@pytest.mark.usefixtures("database")
def test_rows_that_are_not_wanted_any_more_are_not_waited_for() -> None:
    admin_token()
    add_messages(*(message(number, "x") for number in range(1200)))

    def connection_id(db: Connection) -> int | None:
        return db.find(lambda id: int(id), "SELECT CONNECTION_ID() AS id")

    def leave_early(db: Connection) -> bytes | None:
        batches = DATASETS["messages"].exported.read(db, from_ms=0, to_ms=EVER_MS)
        first = next(batches)[0][0]
        batches.close()
        return first

    before = read(connection_id)
    assert read(leave_early) == b"m0000"
    assert read(connection_id) != before
