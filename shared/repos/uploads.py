"""Uploads: forms and signed requests that were given to users, until they are committed."""

from dataclasses import dataclass

from shared.database.connection import Connection

FORM_MS = 15 * 60 * 1000  # how long a form is valid
WRITTEN_MS = FORM_MS + 15 * 60 * 1000  # after this nothing that began with it still writes


@dataclass(frozen=True)
class Upload:
    """`media_id` is the attempt that may commit it, until `lease_until_ms` without a rival.

    `state` leaves open once: to committed, or to refused with a `refusal`.
    """

    id: str
    user_id: str
    filename: str
    content_type: str
    size: int
    method: str
    purpose: str | None
    expires_at_ms: int
    created_at_ms: int
    state: str = "open"
    refusal: str | None = None
    media_id: str | None = None
    lease_until_ms: int = 0

    @property
    def object_key(self) -> str:
        """The temporary object that the client writes."""
        return f"{prefix_of(self.user_id)}{self.id}"

    @property
    def written_until_ms(self) -> int:
        """From here on nobody can write the temporary object."""
        return self.created_at_ms + WRITTEN_MS


def prefix_of(user_id: str) -> str:
    """How the keys of all temporary objects of a user begin."""
    return f"tmp/{user_id}/"


def add(db: Connection, upload: Upload) -> None:
    db.execute(
        """
        INSERT INTO uploads
            (id, user_id, filename, content_type, size, method, purpose, state, refusal, media_id,
             lease_until_ms, expires_at_ms, created_at_ms)
        VALUES
            (:id, :user_id, :filename, :content_type, :size, :method, :purpose, :state, :refusal,
             :media_id, :lease_until_ms, :expires_at_ms, :created_at_ms)
        """,
        **vars(upload),
    )


def find(db: Connection, upload_id: str, user_id: str) -> Upload | None:
    """An upload of this user."""
    found = db.find(
        Upload,
        """
        SELECT id, user_id, filename, content_type, size, method, purpose, state, refusal,
            media_id, lease_until_ms, expires_at_ms, created_at_ms
        FROM uploads
        WHERE id = :id AND user_id = :user_id
        """,
        id=upload_id,
        user_id=user_id,
    )
    return found if found and found.id == upload_id else None  # MySQL overlooks blanks at the end


def claim(
    db: Connection,
    upload_id: str,
    user_id: str,
    media_id: str,
    *,
    at_ms: int,
    until_ms: int,
    created_from_ms: int,
) -> bool:
    """Begin an attempt to commit an upload; say whether this call did.

    It does not if another attempt has a lease, or the upload has ended or is older.
    """
    return bool(
        db.execute(
            """
            UPDATE uploads
            SET media_id = :media_id, lease_until_ms = :until_ms
            WHERE id = :id AND user_id = :user_id AND state = 'open'
                AND lease_until_ms < :at_ms AND created_at_ms >= :created_from_ms
            """,
            id=upload_id,
            user_id=user_id,
            media_id=media_id,
            at_ms=at_ms,
            until_ms=until_ms,
            created_from_ms=created_from_ms,
        )
    )


def release(db: Connection, upload_id: str, media_id: str) -> None:
    """End the lease of an attempt that failed, so that the next one need not wait."""
    db.execute(
        """
        UPDATE uploads
        SET lease_until_ms = 0
        WHERE id = :id AND state = 'open' AND media_id = :media_id
        """,
        id=upload_id,
        media_id=media_id,
    )


def mark_committed(db: Connection, upload_id: str, media_id: str) -> bool:
    """Say whether the attempt was still the one that may commit the upload."""
    return bool(
        db.execute(
            """
            UPDATE uploads
            SET state = 'committed', lease_until_ms = 0
            WHERE id = :id AND state = 'open' AND media_id = :media_id
            """,
            id=upload_id,
            media_id=media_id,
        )
    )


def mark_refused(db: Connection, upload_id: str, media_id: str, refusal: str) -> bool:
    """Say whether the attempt was still the one that may end the upload."""
    return bool(
        db.execute(
            """
            UPDATE uploads
            SET state = 'refused', refusal = :refusal, lease_until_ms = 0
            WHERE id = :id AND state = 'open' AND media_id = :media_id
            """,
            id=upload_id,
            media_id=media_id,
            refusal=refusal,
        )
    )


def remove_all(db: Connection, user_id: str) -> None:
    db.execute("DELETE FROM uploads WHERE user_id = :user_id", user_id=user_id)


def list_created(db: Connection, *, before_ms: int, after: str, count: int) -> list[str]:
    """Ids of old uploads, the oldest first. Ids begin with the time at which they were made."""
    return db.find_all(
        lambda id: str(id),
        """
        SELECT id
        FROM uploads
        WHERE created_at_ms < :before_ms AND id > :after
        ORDER BY created_at_ms, id
        LIMIT :count
        """,
        before_ms=before_ms,
        after=after,
        count=count,
    )


def remove(db: Connection, upload_id: str) -> bool:
    return bool(db.execute("DELETE FROM uploads WHERE id = :id", id=upload_id))
