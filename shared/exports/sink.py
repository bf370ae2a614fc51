"""Where the bytes of an export go."""

from typing import Protocol

from shared.errors import ExportTooLarge


class Sink(Protocol):
    """A workbook must know before it is packed how much there may be: `limit_bytes`."""

    limit_bytes: int

    def write(self, data: bytes, /) -> object:
        """Raises: ExportTooLarge."""

    def too_large(self) -> ExportTooLarge:
        """What to say of a file over the limit."""
