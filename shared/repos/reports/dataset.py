"""Datasets: tables whose rows leave as a file, for administrators or for their owner.

A dataset declares each column once, and who receives it. Administrators receive
the rows of a period, users their own rows. Each read is one SELECT, so it is a
consistent snapshot. Rows are streamed in batches and as the database sent them:
most values go into the file unchanged (shared/exports/columns.py converts them).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Literal

from shared.database.connection import Batches, Connection

Kind = Literal["text", "number", "decimal", "cost", "time", "truth"]


class Audience(Enum):
    ADMINS = auto()
    OWNER = auto()


ADMINS, OWNER = Audience.ADMINS, Audience.OWNER


@dataclass(frozen=True)
class Column:
    """A column and the SQL expression of its values. `only`: it is for this audience alone."""

    name: str
    kind: Kind
    sql: str
    only: Audience | None = None


def text(name: str, sql: str = "", *, only: Audience | None = None) -> Column:
    return Column(name, "text", sql or name, only)


def number(name: str, sql: str = "", *, only: Audience | None = None) -> Column:
    return Column(name, "number", sql or name, only)


def decimal(name: str, sql: str = "", *, only: Audience | None = None) -> Column:
    """A number with decimals."""
    return Column(name, "decimal", sql or name, only)


def cost(name: str, sql: str, *, only: Audience | None = None) -> Column:
    """Stored in millionths of a fen."""
    return Column(name, "cost", sql, only)


def truth(name: str, sql: str = "", *, only: Audience | None = None) -> Column:
    return Column(name, "truth", sql or name, only)


def time(name: str, sql: str = "", *, only: Audience | None = None) -> Column:
    """Stored in milliseconds, under the name with `_ms`."""
    return Column(name, "time", sql or f"{name}_ms", only)


@dataclass(frozen=True)
class Selection:
    """Some columns and rows of a dataset. `source` is the SELECT statement from FROM on."""

    columns: tuple[Column, ...]
    source: str

    def read(self, db: Connection, **parameters: object) -> Batches:
        """Stream the rows, their values in the order of `columns`.

        On MySQL the order of joins is forced, and so are the indexes of a period
        (SQLite reads `/*! */` as a comment): otherwise MySQL sorts a large table
        before it sends the first row, and the query runs out of time.
        """
        expressions = ", ".join(column.sql for column in self.columns)
        return db.stream_raw(
            f"SELECT /*! STRAIGHT_JOIN */ {expressions} {self.source}",  # constants of this folder
            **parameters,
        )


@dataclass(frozen=True)
class Dataset:
    """`of_period` and `of_user` select the rows; a dataset has at least one of them.

    `of_period` takes `from_ms` and `to_ms`, which is excluded; `of_user` takes `user_id`.
    """

    columns: tuple[Column, ...]
    of_period: str = ""
    of_user: str = ""
    has_ai_text: bool = False

    @property
    def exported(self) -> Selection:
        """The rows of a period, for administrators."""
        return Selection(_columns_for(ADMINS, self.columns), self.of_period)

    @property
    def own(self) -> Selection:
        """The rows of one user, for that user."""
        return Selection(_columns_for(OWNER, self.columns), self.of_user)


def _columns_for(audience: Audience, columns: Iterable[Column]) -> tuple[Column, ...]:
    return tuple(column for column in columns if column.only in (None, audience))
