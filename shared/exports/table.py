"""A table on its way into a file."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from shared.exports.columns import Column, RawRow
from shared.exports.spreadsheet import Cell


@dataclass
class Table:
    """Columns, and batches of rows that can be read once; `count` grows as they are.

    `aigc` is the label for the metadata of a file that holds text of a model.
    """

    columns: Sequence[Column]
    batches: Iterable[Sequence[RawRow]]
    aigc: str | None = None
    count: int = 0

    @property
    def names(self) -> list[str]:
        return [column.name for column in self.columns]

    def raw(self) -> Iterator[Sequence[RawRow]]:
        for batch in self.batches:
            self.count += len(batch)
            yield batch

    def __iter__(self) -> Iterator[list[Cell]]:
        for batch in self.batches:
            for row in batch:
                self.count += 1
                yield [column.cell(value) for column, value in zip(self.columns, row, strict=True)]
