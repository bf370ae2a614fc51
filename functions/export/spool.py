"""A file that waits on disk until it is complete, and refuses to outgrow one answer."""

from tempfile import TemporaryFile
from types import TracebackType

from shared import settings
from shared.config import load
from shared.errors import ExportTooLarge


class Spool:
    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        self._size = 0
        self._file = TemporaryFile()  # noqa: SIM115  # closed by __exit__

    def __enter__(self) -> "Spool":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    def write(self, data: bytes) -> None:
        """Raises: ExportTooLarge."""
        self._size += len(data)
        if self._size > self.limit_bytes:
            raise self.too_large()
        self._file.write(data)

    def read(self) -> bytes:
        self._file.seek(0)
        return self._file.read()

    def too_large(self) -> ExportTooLarge:
        way = (
            "ask with delivery=link, or narrow it with from and to"
            if load(settings.Storage).is_there
            else "delivery=link needs object storage, which this deployment does not have,"
            " so narrow it with from and to"
        )
        problem = f"an inline answer carries at most {self.limit_bytes} bytes; {way}"
        return ExportTooLarge(details=[{"field": "query.delivery", "problem": problem}])
