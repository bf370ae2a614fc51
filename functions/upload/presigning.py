"""Giving a user a form or a signed PUT: counted in the database, and one for each client's key."""

from functions.upload import logic
from functions.upload.logic import PresignUpload
from shared import settings
from shared.accounts import auth
from shared.accounts.tokens import Claims
from shared.config import load
from shared.database.connection import Connection
from shared.database.transactions import read, transaction
from shared.errors import UploadExpired, UploadLimitReached
from shared.ids import new_id
from shared.limits import idempotency
from shared.limits.idempotency import ClientKey
from shared.media.allowed_types import allowed_types
from shared.repos import daily_uploads, object_deletions, uploads
from shared.repos.uploads import FORM_MS, Upload
from shared.storage.media_storage import MediaStorage, SignedForm, SignedPut, UploadTerms
from shared.times import DAY_MS, now_ms, seconds_left_of_day, shanghai_day


def new_upload(claims: Claims, body: PresignUpload) -> Upload:
    """Raises: MediaTypeNotAllowed, FileTooLarge, Misconfigured."""
    max_bytes = load(settings.Uploads).max_bytes
    content_type = logic.content_type_of(body, allowed_types(), max_bytes)
    now = now_ms()
    return Upload(
        id=new_id(),
        user_id=claims.user_id,
        filename=logic.shown_name(body.filename, content_type),
        content_type=content_type,
        size=body.size,
        method=body.method,
        purpose=body.purpose,
        expires_at_ms=now + FORM_MS,
        created_at_ms=now,
    )


def store(claims: Claims, upload: Upload, key: ClientKey | None) -> Upload:
    """Count and store the upload; a repetition with the client's key gets the first one.

    Raises: InvalidToken, UploadLimitReached, IdempotencyMismatch, UploadExpired.
    """
    transaction(_open_day, claims, shanghai_day(upload.created_at_ms))
    upload_id = transaction(_add_once, claims, upload, key)
    stored = read(uploads.find, upload_id, upload.user_id)
    if stored is None or stored.expires_at_ms <= now_ms():
        raise UploadExpired
    return stored


def _open_day(db: Connection, claims: Claims, day: str) -> None:
    user = auth.active_user(db, claims)
    daily_uploads.open_day(db, user.id, day)


def _add_once(db: Connection, claims: Claims, upload: Upload, key: ClientKey | None) -> str:
    def add() -> dict[str, object]:
        _count(db, upload)
        uploads.add(db, upload)
        day_over = upload.created_at_ms + DAY_MS
        object_deletions.queue(
            db, [upload.object_key], at_ms=upload.created_at_ms, next_at_ms=day_over
        )
        return {"upload_id": upload.id}

    user = auth.active_user(db, claims)
    return str(idempotency.once(db, user.id, key, add)["upload_id"])


def _count(db: Connection, upload: Upload) -> None:
    """Raises: UploadLimitReached."""
    limits, at_ms = load(settings.Uploads), upload.created_at_ms
    is_taken = daily_uploads.take(
        db,
        upload.user_id,
        shanghai_day(at_ms),
        upload.size,
        most_files=limits.daily_files,
        most_bytes=limits.daily_bytes,
    )
    if not is_taken:
        raise UploadLimitReached(retry_after_seconds=seconds_left_of_day(at_ms))


def sign(storage: MediaStorage, upload: Upload) -> SignedForm | SignedPut:
    terms = UploadTerms(upload.object_key, upload.content_type, upload.size, upload.expires_at_ms)
    return storage.form(terms) if upload.method == "post" else storage.put(terms)
