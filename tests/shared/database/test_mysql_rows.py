"""Rows read without decoding equal those of the driver, for all sizes."""

import pymysql
import pytest

from shared.database import transactions
from shared.database.connection import Connection
from tests.conftest import Configure

SIZES = [0, 1, 250, 251, 252, 65_535, 65_536, 16_777_214, 16_777_215]


@pytest.fixture(autouse=True)
def _server(configure: Configure, mariadb_server: str) -> None:
    configure(DATABASE_URL=f"{mariadb_server}/mysql")


def connection() -> Connection:
    opened = transactions.connect(5, 30)
    opened.execute("SET SESSION net_write_timeout = 60")
    return opened


@pytest.mark.parametrize("size", SIZES)
def test_a_value_of_any_size_is_whole(size: int) -> None:
    batches = connection().stream_raw(
        "SELECT NULL AS a, REPEAT('x', :size) AS b, 7 AS c UNION ALL SELECT '', 'y', NULL",
        size=size,
    )

    assert [row for batch in batches for row in batch] == [
        [None, b"x" * size, b"7"],
        [b"", b"y", None],
    ]


def test_many_rows_come_in_batches_of_a_bounded_size() -> None:
    batches = list(
        connection().stream_raw(
            "SELECT a.d, b.d, c.d, REPEAT('x', 300) AS x"
            " FROM (SELECT 1 AS d UNION SELECT 2 UNION SELECT 3) AS a,"
            " (SELECT 1 AS d UNION SELECT 2 UNION SELECT 3) AS b,"
            " (WITH RECURSIVE n AS (SELECT 1 AS d UNION SELECT d + 1 FROM n WHERE d < 200)"
            "  SELECT d FROM n) AS c"
        )
    )

    rows = [tuple(row) for batch in batches for row in batch]
    assert (len(rows), len(set(rows))) == (1800, 1800)
    assert max(len(batch) for batch in batches) <= 500


def test_a_connection_can_be_used_again_after_the_last_row() -> None:
    opened = connection()
    assert list(opened.stream_raw("SELECT 1 AS a WHERE 1 = 0")) == []
    assert list(opened.stream_raw("SELECT 1 AS a")) == [[[b"1"]]]
    assert opened.find(dict, "SELECT 2 AS b") == {"b": 2}


def test_an_error_among_the_rows_is_told() -> None:
    opened = connection()
    with pytest.raises(pymysql.OperationalError, match="max_statement_time"):
        list(
            opened.stream_raw(
                "SET STATEMENT max_statement_time = 0.2 FOR"
                " SELECT a.table_name, SLEEP(0.01) FROM information_schema.columns AS a"
            )
        )
