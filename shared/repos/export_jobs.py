"""Exports that a worker writes: who has one in hand, how far it is, and how it ended."""

from dataclasses import dataclass

from shared.cursor import END, Place
from shared.database.connection import Connection
from shared.errors import NotFound


@dataclass(frozen=True)
class Job:
    """`wanted` is JSON. `failure` is the name of what the last attempt failed by."""

    id: str
    requested_by: str
    wanted: str
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
    def place(self) -> Place:
        return Place(self.created_at_ms, self.id)


def add(db: Connection, job: Job) -> None:
    db.execute(
        """
        INSERT INTO exports
            (id, requested_by, wanted, lease_until_ms, created_at_ms, state, attempt,
             rows_written, bytes_written, sha256, object_key, failure, cancel_asked, ended_at_ms)
        VALUES
            (:id, :requested_by, :wanted, :lease_until_ms, :created_at_ms, :state, :attempt,
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
        SELECT id, requested_by, wanted, lease_until_ms, created_at_ms, state, attempt,
            rows_written, bytes_written, sha256, object_key, failure, cancel_asked, ended_at_ms
        FROM exports
        WHERE id = :export_id
        """,
        export_id=export_id,
    )
    if found is None:
        raise NotFound
    return found


def list_latest(db: Connection, *, after: Place | None, count: int) -> list[Job]:
    """The newest first."""
    last = after or END
    return db.find_all(
        Job,
        """
        SELECT id, requested_by, wanted, lease_until_ms, created_at_ms, state, attempt,
            rows_written, bytes_written, sha256, object_key, failure, cancel_asked, ended_at_ms
        FROM exports
        WHERE created_at_ms < :at OR (created_at_ms = :at AND id < :id)
        ORDER BY created_at_ms DESC, id DESC
        LIMIT :count
        """,
        at=last.at,
        id=last.id,
        count=count,
    )


def list_abandoned(db: Connection, *, before_ms: int, count: int) -> list[Job]:
    """Those nobody has in hand any more, or never had."""
    return db.find_all(
        Job,
        """
        SELECT id, requested_by, wanted, lease_until_ms, created_at_ms, state, attempt,
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
    """Take it in hand, if it waits or whoever had it is gone; say whether this call did.

    The attempt this begins is the only one that may change the row from here.
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
    """Note how far it is (rows, bytes); False when it is lost, or somebody asked to cancel it."""
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
    """Give back what failed; maintenance sees to it where nobody takes it before `until_ms`."""
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
    """Have an abandoned one wait again; of several who saw it abandoned, one gets a True."""
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
    """Say whether this call ended it. The audit entry must hang on a True from here."""
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
    """Whoever has it in hand ends it; False when it has ended already."""
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
    """End what was to be cancelled and waits, or is in nobody's hand since `before_ms`."""
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
    """Whoever has it in hand has seen that it is to be cancelled."""
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
    """Its file is gone; say whether it was known until now."""
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
