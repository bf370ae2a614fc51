"""Cursors: positions in sorted lists, after which the next page begins."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Cursor:
    """A row's sort key: a time or a number, then an id for rows where that is equal."""

    at: int
    id: str


START = Cursor(0, "")  # before the first row of an ascending list
END = Cursor(2**63 - 1, "")  # before the first row of a descending list
