"""Tables: columns and rows that a format writes into a file."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass

from shared.database.connection import Connection
from shared.exports.columns import Column, RawRow, columns_of
from shared.exports.spreadsheet import Cell
from shared.repos.reports.dataset import Selection


@dataclass
class Table:
    """Columns, and batches of rows that can be read once; `count` is how many rows were read.

    `aigc` is the label for the metadata of a file with text of a model.
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


def aigc_label(produce_id: str) -> dict[str, str]:
    """The implicit label of GB 45438-2025, for the metadata of a file."""
    return {"Label": "1", "ContentProducer": "fc-ai-backend", "ProduceID": produce_id}


@contextmanager
def open_table(
    db: Connection, selection: Selection, aigc: str | None = None, **parameters: object
) -> Iterator[Table]:
    """The rows of the selection, streamed while the context lasts."""
    with closing(selection.read(db, **parameters)) as batches:
        yield Table(columns_of(selection), batches, aigc)
