"""Jobs of the export worker: lease, progress and result."""

from dataclasses import dataclass

from shared.cursor import END, Cursor
from shared.database.connection import Connection
from shared.errors import NotFound
from shared.ids import lowest_id


@dataclass(frozen=True)
class Job:
    """`request` is JSON, in the column `wanted`. `failure` is the last attempt's error name."""

    id: str
    requested_by: str
    request: str
    lease_until_ms: int
    created_at_ms: int
    state: str = "queued"
    attempt: int = 0
    rows_written: int = 0
    bytes_written: int = 0
    sha256: str | None = None
    object_key: str | None = None
    failure: str | None = None
    cancel_asked: int = 0
    ended_at_ms: int | None = None

    @property
    def cursor(self) -> Cursor:
        return Cursor(self.created_at_ms, self.id)


def add(db: Connection, job: Job) -> None:
    db.execute(
        """
        INSERT INTO exports
            (id, requested_by, wanted, lease_until_ms, created_at_ms, state, attempt,
             rows_written, bytes_written, sha256, object_key, failure, cancel_asked, ended_at_ms)
        VALUES
            (:id, :requested_by, :request, :lease_until_ms, :created_at_ms, :state, :attempt,
             :rows_written, :bytes_written, :sha256, :object_key, :failure, :cancel_asked,
             :ended_at_ms)
        """,
        **vars(job),
    )


def get(db: Connection, export_id: str) -> Job:
    """Raises: NotFound."""
    found = db.find(
        Job,
        """
        SELECT id, requested_by, wanted AS request, lease_until_ms, created_at_ms, state, attempt,
            rows_written, bytes_written, sha256, object_key, failure, cancel_asked, ended_at_ms
        FROM exports
        WHERE id = :export_id
        """,
        export_id=export_id,
    )
    if found is None:
        raise NotFound
    return found


def list_latest(db: Connection, *, after: Cursor | None, count: int) -> list[Job]:
    """The newest first."""
    last = after or END
    return db.find_all(
        Job,
        """
        SELECT id, requested_by, wanted AS request, lease_until_ms, created_at_ms, state, attempt,
            rows_written, bytes_written, sha256, object_key, failure, cancel_asked, ended_at_ms
        FROM exports /*! FORCE INDEX (ix_exports_created) */
        WHERE created_at_ms <= :at AND (created_at_ms < :at OR id < :id)
        ORDER BY created_at_ms DESC, id DESC
        LIMIT :count
        """,
        at=last.at,
        id=last.id,
        count=count,
    )


def list_abandoned(db: Connection, *, before_ms: int, count: int) -> list[Job]:
    """Jobs that have not ended and have no worker with a lease."""
    return db.find_all(
        Job,
        """
        SELECT id, requested_by, wanted AS request, lease_until_ms, created_at_ms, state, attempt,
            rows_written, bytes_written, sha256, object_key, failure, cancel_asked, ended_at_ms
        FROM exports
        WHERE state IN ('queued', 'running') AND lease_until_ms < :before_ms
        ORDER BY state, lease_until_ms
        LIMIT :count
        """,
        before_ms=before_ms,
        count=count,
    )


def claim(db: Connection, export_id: str, *, at_ms: int, until_ms: int) -> bool:
    """Begin an attempt if the job is queued or its lease has expired; say whether this call did.

    From here only this attempt may change the row.
    """
    return bool(
        db.execute(
            """
            UPDATE exports
            SET state = 'running', attempt = attempt + 1, rows_written = 0, bytes_written = 0,
                lease_until_ms = :until_ms
            WHERE id = :export_id AND cancel_asked = 0
              AND (state = 'queued' OR (state = 'running' AND lease_until_ms < :at_ms))
            """,
            export_id=export_id,
            at_ms=at_ms,
            until_ms=until_ms,
        )
    )


def renew(db: Connection, job: Job, *, written: tuple[int, int], until_ms: int) -> bool:
    """Record the progress (rows, bytes); return False if the job is lost or to be cancelled."""
    return bool(
        db.execute(
            """
            UPDATE exports
            SET rows_written = :rows, bytes_written = :bytes, lease_until_ms = :until_ms
            WHERE id = :id AND state = 'running' AND attempt = :attempt AND cancel_asked = 0
            """,
            id=job.id,
            attempt=job.attempt,
            rows=written[0],
            bytes=written[1],
            until_ms=until_ms,
        )
    )


def release(db: Connection, job: Job, failure: str, *, until_ms: int) -> bool:
    """Queue a failed job again; maintenance starts a worker if none claims it by `until_ms`."""
    return bool(
        db.execute(
            """
            UPDATE exports
            SET state = 'queued', failure = :failure, lease_until_ms = :until_ms
            WHERE id = :id AND state = 'running' AND attempt = :attempt AND cancel_asked = 0
            """,
            id=job.id,
            attempt=job.attempt,
            failure=failure,
            until_ms=until_ms,
        )
    )


def requeue(db: Connection, job: Job, *, until_ms: int) -> bool:
    """Queue an abandoned job again; of several concurrent calls, one returns True."""
    return bool(
        db.execute(
            """
            UPDATE exports
            SET state = 'queued', lease_until_ms = :until_ms
            WHERE id = :id AND attempt = :attempt AND lease_until_ms = :lease_until_ms
              AND cancel_asked = 0 AND state IN ('queued', 'running')
            """,
            id=job.id,
            attempt=job.attempt,
            lease_until_ms=job.lease_until_ms,
            until_ms=until_ms,
        )
    )


def mark_done(
    db: Connection, job: Job, *, written: tuple[int, int], sha256: str, key: str, at_ms: int
) -> bool:
    """Say whether this call ended it. Add the audit entry only after a True."""
    return bool(
        db.execute(
            """
            UPDATE exports
            SET state = 'done', rows_written = :rows, bytes_written = :bytes, sha256 = :sha256,
                object_key = :key, failure = NULL, ended_at_ms = :at_ms
            WHERE id = :id AND state = 'running' AND attempt = :attempt AND cancel_asked = 0
            """,
            id=job.id,
            attempt=job.attempt,
            rows=written[0],
            bytes=written[1],
            sha256=sha256,
            key=key,
            at_ms=at_ms,
        )
    )


def mark_failed(db: Connection, job: Job, failure: str, *, at_ms: int) -> bool:
    return bool(
        db.execute(
            """
            UPDATE exports
            SET state = 'failed', failure = :failure, ended_at_ms = :at_ms
            WHERE id = :id AND attempt = :attempt AND state IN ('queued', 'running')
            """,
            id=job.id,
            attempt=job.attempt,
            failure=failure,
            at_ms=at_ms,
        )
    )


def ask_to_cancel(db: Connection, export_id: str) -> bool:
    """Ask the worker to stop; return False if the job has ended already."""
    return bool(
        db.execute(
            """
            UPDATE exports
            SET cancel_asked = 1
            WHERE id = :export_id AND state IN ('queued', 'running')
            """,
            export_id=export_id,
        )
    )


def mark_cancelled(db: Connection, export_id: str, *, before_ms: int, at_ms: int) -> bool:
    """End a job to be cancelled that is queued, or whose lease ended before `before_ms`."""
    return bool(
        db.execute(
            """
            UPDATE exports
            SET state = 'cancelled', ended_at_ms = :at_ms
            WHERE id = :export_id AND cancel_asked = 1
              AND (state = 'queued' OR (state = 'running' AND lease_until_ms < :before_ms))
            """,
            export_id=export_id,
            before_ms=before_ms,
            at_ms=at_ms,
        )
    )


def mark_stopped(db: Connection, job: Job, *, at_ms: int) -> bool:
    """End a running job that was to be cancelled; called by the worker that has it."""
    return bool(
        db.execute(
            """
            UPDATE exports
            SET state = 'cancelled', ended_at_ms = :at_ms
            WHERE id = :id AND state = 'running' AND attempt = :attempt AND cancel_asked = 1
            """,
            id=job.id,
            attempt=job.attempt,
            at_ms=at_ms,
        )
    )


def forget_object(db: Connection, export_id: str) -> bool:
    """Record that the file was removed; say whether there was one."""
    return bool(
        db.execute(
            """
            UPDATE exports
            SET object_key = NULL
            WHERE id = :export_id AND object_key IS NOT NULL
            """,
            export_id=export_id,
        )
    )


def list_ended(db: Connection, *, before_ms: int, after: str, count: int) -> list[str]:
    """Exports that began and ended before, by their ids, which are ordered by time."""
    return db.find_all(
        lambda id: str(id),
        """
        SELECT id
        FROM exports
        WHERE id > :after AND id < :lowest_id AND ended_at_ms < :before_ms
        ORDER BY id
        LIMIT :count
        """,
        after=after,
        lowest_id=lowest_id(before_ms),
        before_ms=before_ms,
        count=count,
    )


def remove(db: Connection, export_id: str) -> bool:
    """Delete an export that has ended; say whether it was there."""
    sql = "DELETE FROM exports WHERE id = :id AND ended_at_ms IS NOT NULL"
    return bool(db.execute(sql, id=export_id))
