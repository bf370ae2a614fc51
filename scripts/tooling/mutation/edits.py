"""Source text, and changes of it at the positions of syntax nodes."""

import ast
from dataclasses import dataclass
from functools import cached_property


@dataclass(frozen=True)
class Edit:
    """New text in place of the bytes from `start` to `end`."""

    start: int
    end: int
    text: str


@dataclass(frozen=True)
class Source:
    """The bytes of a module. Columns of syntax nodes count bytes, so offsets do."""

    content: bytes

    @cached_property
    def _lines(self) -> list[int]:
        starts = [0]
        for line in self.content.splitlines(keepends=True):
            starts.append(starts[-1] + len(line))
        return starts

    def start(self, node: ast.expr | ast.stmt) -> int:
        return self._lines[node.lineno - 1] + node.col_offset

    def end(self, node: ast.expr | ast.stmt) -> int:
        return self._lines[(node.end_lineno or 1) - 1] + (node.end_col_offset or 0)

    def text(self, start: int, end: int) -> str:
        return self.content[start:end].decode()

    def of(self, node: ast.expr | ast.stmt) -> str:
        return self.text(self.start(node), self.end(node))

    def replaced(self, node: ast.expr | ast.stmt, text: str) -> Edit:
        return Edit(self.start(node), self.end(node), text)

    def between(self, left: ast.expr, right: ast.expr, old: str, new: str) -> list[Edit]:
        """Replace an operator between two operands; none if a comment holds it as well."""
        start, end = self.end(left), self.start(right)
        gap = self.text(start, end)
        if gap.count(old) != 1:
            return []
        at = start + len(gap[: gap.index(old)].encode())
        return [Edit(at, at + len(old), new)]
