"""A file on disk that refuses to outgrow one answer."""

from dataclasses import dataclass
from tempfile import TemporaryFile
from types import TracebackType
from typing import IO

from shared.errors import CopyTooLarge


@dataclass
class Entry:
    """A part of the file that is packed on its way in."""

    limit_bytes: int
    _packed: IO[bytes]

    def write(self, data: bytes, /) -> None:
        self._packed.write(data)

    def too_large(self) -> CopyTooLarge:
        return CopyTooLarge()


class BoundedFile:
    def __init__(self, limit_bytes: int) -> None:
        self._left = limit_bytes
        self.limit_bytes = limit_bytes
        self._file = TemporaryFile()  # noqa: SIM115  # closed by __exit__

    def __enter__(self) -> "BoundedFile":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    def write(self, data: bytes) -> int:
        """Raises: CopyTooLarge."""
        self._left -= len(data)
        if self._left < 0:
            raise CopyTooLarge
        return self._file.write(data)

    def flush(self) -> None:
        """What writes archives asks for it."""

    def within(self, packed: IO[bytes]) -> Entry:
        return Entry(self.limit_bytes, packed)

    def content(self) -> bytes:
        self._file.seek(0)
        return self._file.read()
