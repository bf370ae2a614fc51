"""Temporary files for a copy of one's own data, limited to the size of one answer."""

from typing import IO

from shared.errors import CopyTooLarge
from shared.exports.bounded_file import BoundedFile


class Spool(BoundedFile):
    def too_large(self) -> CopyTooLarge:
        return CopyTooLarge()


class Packed:
    """A sink for one table of a zip archive that is written into the spool."""

    def __init__(self, spool: Spool, entry: IO[bytes]) -> None:
        self.limit_bytes = spool.limit_bytes
        self.too_large = spool.too_large
        self._entry = entry

    def write(self, data: bytes, /) -> None:
        """Raises: CopyTooLarge."""
        self._entry.write(data)
