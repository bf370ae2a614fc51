"""A table on its way into a file."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from shared.spreadsheet import Cell


@dataclass
class Table:
    """Column names, and rows that can be read once; `count` grows as they are.

    `aigc` is the label for the metadata of a file that holds text of a model.
    """

    columns: Sequence[str]
    rows: Iterable[Sequence[Cell]]
    aigc: str | None = None
    count: int = 0

    def __iter__(self) -> Iterator[Sequence[Cell]]:
        for row in self.rows:
            self.count += 1
            yield row
