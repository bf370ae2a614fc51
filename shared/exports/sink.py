"""Sinks: what a format writes its bytes to."""

from typing import Protocol

from shared.errors import ExportTooLarge


class Sink(Protocol):
    """`limit_bytes`: a workbook must know its size limit before it is packed."""

    limit_bytes: int

    def write(self, data: bytes, /) -> object:
        """Raises: ExportTooLarge."""

    def too_large(self) -> ExportTooLarge:
        """The error for a file over the limit."""
