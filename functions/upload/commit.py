"""Committing an upload: its object is verified and copied to a key that no client can write.

Each attempt has a media id and so a final key of its own, which is entered to be deleted
before the copy can exist. The transaction that ends the attempt takes the key out of the queue
again. So an attempt that fails, is killed or comes too late leaves an object that maintenance
deletes, and never touches the object of another attempt. A lease keeps attempts from running
at the same time, which saves work; nothing depends on it.
"""

from contextlib import suppress

from functions.upload import logic
from functions.upload.storage_time import StorageTime
from functions.upload.verification import Refused, UploadedObject, uploaded_object
from shared.accounts import auth
from shared.accounts.tokens import Claims
from shared.database.connection import Connection
from shared.database.transactions import autocommit, transaction
from shared.errors import AppError, InProgress, NotFound, StorageUnavailable, UploadExpired
from shared.ids import new_id
from shared.media.picture_size import Size
from shared.repos import media, object_deletions, uploads
from shared.repos.media import Media, MediaText
from shared.repos.uploads import Upload
from shared.storage.media_storage import MediaStorage
from shared.times import now_ms

LEASE_MS = 30_000  # longer than an attempt takes
# Longer than a copy may come late: the store accepts a request for 15 minutes after its signing.
ATTEMPT_MS = 20 * 60 * 1000


def commit(claims: Claims, upload_id: str, storage: MediaStorage) -> Media:
    """The media of the upload, also if it was committed before.

    Raises: InvalidToken, NotFound, UploadExpired, MediaInvalid, DocumentHasNoText, InProgress,
        NotUploaded, ChangedMeanwhile, StorageUnavailable, WorkerUnreachable.
    """
    media_id, time = new_id(), StorageTime()
    upload = transaction(_begin, claims, upload_id, media_id)
    if isinstance(upload, Media):
        return upload
    try:
        committed = _attempt(claims, uploaded_object(storage, time, upload), media_id)
    except Refused as refused:
        transaction(_refuse, upload, media_id, refused.reason)
        _remove_temporary(storage, time, upload)
        raise logic.refusal_error(refused.reason) from None
    except Exception:
        with suppress(AppError):  # or the lease ends by itself
            autocommit(uploads.release, upload.id, media_id)
        raise
    _remove_temporary(storage, time, upload)
    return committed


def _begin(db: Connection, claims: Claims, upload_id: str, media_id: str) -> Upload | Media:
    """Claim the upload for this attempt, or return the media that it has become.

    The claim comes before all reads, because MySQL takes the snapshot of a transaction at
    its first read.
    """
    now = now_ms()
    is_claimed = uploads.claim(
        db,
        upload_id,
        claims.user_id,
        media_id,
        at_ms=now,
        until_ms=now + LEASE_MS,
        created_from_ms=now - logic.COMMIT_MS,
    )
    user = auth.active_user(db, claims)
    upload = uploads.find(db, upload_id, user.id)
    if upload is None or upload.state == "committed":
        return _committed(db, upload_id, user.id)
    if is_claimed:
        key = _final_key(upload, media_id)
        object_deletions.queue(db, [key], at_ms=now, next_at_ms=now + ATTEMPT_MS)
        return upload
    raise _ended(upload, now)


def _ended(upload: Upload, at_ms: int) -> AppError:
    """Why an upload that is not committed cannot be claimed."""
    if upload.refusal:
        return logic.refusal_error(upload.refusal)
    return UploadExpired() if logic.is_expired(upload, at_ms) else InProgress()


def _committed(db: Connection, upload_id: str, user_id: str) -> Media:
    """Raises: NotFound: there is no such upload, or its media was deleted."""
    found = media.find_of_upload(db, upload_id, user_id)
    if found is None:
        raise NotFound
    return found


def _attempt(claims: Claims, uploaded: UploadedObject, media_id: str) -> Media:
    uploaded.verify()
    text, size = uploaded.text(), uploaded.size()
    key = _final_key(uploaded.upload, media_id)
    copied = uploaded.copy(key)
    new = _media_of(uploaded.upload, media_id, key, copied.crc64)
    return transaction(_finish, claims, new, text, size)


def _media_of(upload: Upload, media_id: str, key: str, crc64: str) -> Media:
    return Media(
        id=media_id,
        upload_id=upload.id,
        user_id=upload.user_id,
        object_key=key,
        filename=upload.filename,
        content_type=upload.content_type,
        size=upload.size,
        crc64=crc64,
        created_at_ms=now_ms(),
        purpose=upload.purpose,
    )


def _final_key(upload: Upload, media_id: str) -> str:
    return f"media/{upload.user_id}/{media_id}"


def _finish(
    db: Connection, claims: Claims, new: Media, text: MediaText | None, size: Size | None
) -> Media:
    """Store the media; if another attempt did so first, return that of it.

    Raises: InProgress: another attempt has taken over, or the copy may be deleted already.
    """
    is_mine = uploads.mark_committed(db, new.upload_id, new.id)
    user = auth.active_user(db, claims)
    if not is_mine:
        found = media.find_of_upload(db, new.upload_id, user.id)
        if found is None:
            raise InProgress
        return found
    if not object_deletions.keep(db, new.object_key):
        raise InProgress
    media.add(db, new, text)
    if size:
        media.set_size(db, new.id, size.width, size.height)
    _delete_when_written(db, new.upload_id, user.id)
    return new


def _refuse(db: Connection, upload: Upload, media_id: str, reason: str) -> None:
    """Raises: InProgress: another attempt has taken over."""
    if not uploads.mark_refused(db, upload.id, media_id, reason):
        raise InProgress
    _delete_when_written(db, upload.id, upload.user_id)


def _delete_when_written(db: Connection, upload_id: str, user_id: str) -> None:
    """Enter the temporary object again, to be deleted when its form can write it no more."""
    upload = uploads.find(db, upload_id, user_id)
    if upload is not None:
        now, until_ms = now_ms(), upload.written_until_ms
        object_deletions.queue(db, [upload.object_key], at_ms=now, next_at_ms=max(now, until_ms))


def _remove_temporary(storage: MediaStorage, time: StorageTime, upload: Upload) -> None:
    """Remove it now, if the storage can: it is in the queue in any case."""
    with suppress(StorageUnavailable):
        time.run(lambda: storage.remove(upload.object_key))
