"""Deferred statements: sent together with the next one, so that they take no round trip."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Result:
    """The result of one statement: the rows that it matched, or those that it returned."""

    matched: int
    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]

    @classmethod
    def of(cls, cursor: Any) -> "Result":
        """The result that a cursor of the driver stands at."""
        if cursor.description is None:
            return cls(cursor.rowcount, (), ())
        return cls(cursor.rowcount, [column[0] for column in cursor.description], cursor.fetchall())


class Deferred:
    """A statement that is sent with the next one of its connection, or when its result is read.

    A failure is raised where the statement is sent. The statements after it do not run.
    """

    def __init__(
        self, sql: str, parameters: Mapping[str, object], send: Callable[[], None]
    ) -> None:
        self.sql = sql
        self.parameters = parameters
        self.result: Result | None = None
        self._send = send

    @property
    def size(self) -> int:
        """The characters of its parameters that are texts."""
        return sum(len(value) for value in self.parameters.values() if isinstance(value, str))

    def __bool__(self) -> bool:
        """Whether it matched a row."""
        return self.matched > 0

    @property
    def matched(self) -> int:
        """The number of rows that it matched."""
        return self._received.matched

    def rows(self, record: Callable[..., T]) -> list[T]:
        """All rows as records, their fields named as the columns."""
        received = self._received
        return [record(**dict(zip(received.columns, row, strict=True))) for row in received.rows]

    def first(self, record: Callable[..., T]) -> T | None:
        """The first row as a record."""
        return next(iter(self.rows(record)), None)

    @property
    def _received(self) -> Result:
        if self.result is None:
            self._send()
        if self.result is None:
            raise LookupError("the statement did not run, because one before it failed")
        return self.result
