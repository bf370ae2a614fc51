"""A thread beside the writer: renews the lease, records progress, notices a cancellation."""

import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from types import TracebackType

from shared.database import transactions
from shared.database.connection import Connection
from shared.database.transactions import transaction
from shared.errors import DatabaseUnavailable
from shared.exports.columns import RawRow
from shared.repos import export_jobs
from shared.repos.export_jobs import Job
from shared.times import now_ms

LEASE_MS = 15_000
PULSE_SECONDS = 0.5


class Stopped(Exception):
    """The job must not be continued."""


class Cancelled(Stopped):
    """An administrator cancelled the job; its state is set already."""


class Lost(Stopped):
    """The lease expired, and another worker may have claimed the job."""


class Watch:
    """Runs in its own thread, because the writer may wait for database, storage or disk."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._rows = self._bytes = 0
        self._verdict: Exception | None = None
        self._renewed = time.monotonic()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "Watch":
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        self._thread.join()

    @property
    def written(self) -> tuple[int, int]:
        """Rows and bytes."""
        return self._rows, self._bytes

    def check(self) -> None:
        """Raises: Cancelled, Lost."""
        if self._verdict:
            raise self._verdict

    def over(self, batches: Iterable[Sequence[RawRow]]) -> Iterator[Sequence[RawRow]]:
        """Pass the batches on and count their rows. Raises: Cancelled, Lost."""
        for batch in batches:
            self.check()
            yield batch
            self._rows += len(batch)

    def add_bytes(self, count: int) -> None:
        self._bytes += count

    def _run(self) -> None:
        try:
            while not self._verdict and not self._over.wait(PULSE_SECONDS):
                self._beat()
        except Exception as error:  # noqa: BLE001  # `check` raises it in the writer's thread
            self._verdict = error
        finally:
            transactions.disconnect()

    def _beat(self) -> None:
        """Renew once. A database failure is ignored while the lease lasts."""
        try:
            self._verdict = transaction(self._renew)
        except DatabaseUnavailable:
            if time.monotonic() - self._renewed > LEASE_MS / 1000:
                self._verdict = Lost()

    def _renew(self, connection: Connection) -> Stopped | None:
        now = now_ms()
        if export_jobs.renew(connection, self._job, written=self.written, until_ms=now + LEASE_MS):
            self._renewed = time.monotonic()
            return None
        if export_jobs.mark_stopped(connection, self._job, at_ms=now):
            return Cancelled()
        return Lost()
