"""A temporary file of limited size."""

from tempfile import TemporaryFile
from types import TracebackType

from shared.errors import ExportTooLarge


class BoundedFile:
    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        self._size = 0
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
        """Raises: ExportTooLarge."""
        self._size += len(data)
        if self._size > self.limit_bytes:
            raise self.too_large()
        return self._file.write(data)

    def flush(self) -> None:
        """Required by zipfile."""

    def read(self) -> bytes:
        self._file.seek(0)
        return self._file.read()

    def too_large(self) -> ExportTooLarge:
        """The error to raise; subclasses add how to avoid it."""
        return ExportTooLarge()
