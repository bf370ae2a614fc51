"""`scripts/bench size`: bytes per row of each table, and a year of it, on a private MariaDB.

Users, sessions, chats and charges are stored by the product's own functions. A size is that of
the rows and indexes of a table that OPTIMIZE TABLE has packed, without that of the empty table.
"""

import argparse
import math
from collections.abc import Sequence
from dataclasses import dataclass

from scripts.tooling.bench.product import database
from scripts.tooling.bench.size_rows import fill
from shared.database.connection import Connection
from shared.database.transactions import read

DAYS = 365


@dataclass(frozen=True)
class Table:
    """A table after a number of chats. `empty_bytes` is its size before."""

    name: str
    rows: int
    size_bytes: int
    empty_bytes: int

    @property
    def row_bytes(self) -> float:
        return (self.size_bytes - self.empty_bytes) / self.rows if self.rows else 0.0


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="scripts/bench size", description=__doc__)
    parser.add_argument("--chats", type=int, default=20_000, help="chats to store")
    parser.add_argument("--answer", type=int, default=40, help="characters of an answer")
    parser.add_argument("--daily", type=int, default=10_000, help="chats a day, for the year")
    given = parser.parse_args(arguments)
    with database():
        empty = dict(read(_sizes))
        fill(given.chats, given.answer)
        tables = [
            Table(name, read(_rows, name), size, empty[name]) for name, size in read(_sizes).items()
        ]
    _show(tables, given.chats, given.daily)
    return 0


def _sizes(db: Connection) -> dict[str, int]:
    """The size of each table with its indexes, packed."""
    for name in _names(db):
        db.find_all(dict, f"OPTIMIZE TABLE {name}")  # a name that the server gave
        db.find_all(dict, f"ANALYZE TABLE {name}")
    return {
        row["name"]: int(row["size"])
        for row in db.find_all(
            dict[str, str],
            """
            SELECT table_name AS name, data_length + index_length AS size
            FROM information_schema.tables
            WHERE table_schema = DATABASE() AND table_name <> 'schema_migrations'
            ORDER BY table_name
            """,
        )
    }


def _names(db: Connection) -> list[str]:
    return [next(iter(row.values())) for row in db.find_all(dict[str, str], "SHOW TABLES")]


def _rows(db: Connection, name: str) -> int:
    [count] = db.find_all(lambda n: int(n), f"SELECT COUNT(*) AS n FROM {name}")  # noqa: S608
    return count


def _show(tables: Sequence[Table], chats: int, daily: int) -> None:
    print(f"{'table':<20}{'rows':>9}{'bytes/row':>11}{'rows/chat':>11}{'MB/year':>9}")
    for table in tables:
        per_chat = table.rows / chats
        yearly = table.row_bytes * per_chat * daily * DAYS / 1e6
        print(
            f"{table.name:<20}{table.rows:>9}{math.ceil(table.row_bytes):>11}"
            f"{per_chat:>11.3f}{yearly:>9.0f}"
        )
    total = sum(one.row_bytes * one.rows for one in tables) / chats * daily * DAYS / 1e6
    print(f"{'all':<20}{'':>9}{'':>11}{'':>11}{total:>9.0f}")
    print(f"after {chats} chats; a year has {daily} chats a day and nothing is removed")
