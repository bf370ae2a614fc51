"""Uploading an export in parts: hashed, and sent while the next part is written."""

import hashlib
from concurrent.futures import Future, ThreadPoolExecutor, wait
from types import TracebackType

from functions.export_worker.watch import Watch
from shared import log
from shared.errors import ExportTooLarge
from shared.problems import Problem, detail
from shared.storage.choice import Upload

# Two parts are held in memory, so the first ones are small. OSS takes 10,000 parts of 5 GB.
_SMALLEST, _LARGEST = 1024 * 1024, 16 * 1024 * 1024
_PARTS_OF_ONE_SIZE = 1000
_LOOK_SECONDS = 0.25

# The largest workbook that fits into the 512 MB of /tmp (shared/exports/xlsx_file).
_WORKBOOK_BYTES = 30_000_000


class Parts:
    """A multipart upload. It is complete when `finish` returns, and aborted after an error."""

    limit_bytes = _WORKBOOK_BYTES

    def __init__(self, upload: Upload, watch: Watch) -> None:
        self._upload, self._watch = upload, watch
        self._sender = ThreadPoolExecutor(1)
        self._sending: Future[None] | None = None
        self._hash = hashlib.sha256()
        self._waiting: list[bytes] = []
        self._size = self._sent = 0

    def __enter__(self) -> "Parts":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._sender.shutdown()  # the part being sent ends within the storage's time limits
        if error is None:
            return
        try:
            self._upload.abort()
        except Exception as problem:  # noqa: BLE001  # the first failure is the one to report
            log.write("error", "upload_not_aborted", error=type(problem).__name__)

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()

    @property
    def _part_bytes(self) -> int:
        return min(_SMALLEST << self._sent // _PARTS_OF_ONE_SIZE, _LARGEST)

    def write(self, data: bytes, /) -> None:
        """Raises: StorageUnavailable, Cancelled, Lost."""
        self._waiting.append(data)
        self._size += len(data)
        if self._size >= self._part_bytes:
            self._send()

    def finish(self) -> None:
        """Raises: StorageUnavailable, Cancelled, Lost."""
        if self._size or not self._sent:
            self._send()
        self._wait()
        self._watch.check()
        self._upload.complete()

    def too_large(self) -> ExportTooLarge:
        most = self.limit_bytes
        problem = Problem(f"a workbook holds at most {most} bytes", f"一个工作簿最多 {most} 字节")
        return ExportTooLarge(details=[detail("query.format", problem)])

    def _send(self) -> None:
        part = b"".join(self._waiting)
        self._waiting, self._size = [], 0
        self._hash.update(part)
        self._wait()
        self._sending = self._sender.submit(self._upload.put, part)
        self._sent += 1
        self._watch.add_bytes(len(part))

    def _wait(self) -> None:
        """Wait for the part before; stop waiting if the job was cancelled or lost."""
        while self._sending and not wait([self._sending], _LOOK_SECONDS).done:
            self._watch.check()
        if self._sending:
            self._sending.result()
