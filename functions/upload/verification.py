"""Checks of an uploaded object: its size, its type, its first bytes, and a document's text."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

from functions.upload.storage_time import StorageTime
from shared.errors import ChangedMeanwhile, DocumentHasNoText, DocumentUnreadable, NotUploaded
from shared.media.content_types import DOCUMENT, PICTURE, canonical, kind_of, matches
from shared.media.picture_size import HEAD_BYTES, Size, picture_size
from shared.repos.media import MediaText
from shared.repos.uploads import Upload
from shared.storage.media_storage import MediaStorage, ObjectChanged, ObjectMissing, StoredObject

T = TypeVar("T")


class Refused(Exception):
    """The object is refused for good; `reason` is a refusal of functions.upload.logic."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class UploadedObject:
    """The object of an upload, found once and then read by its ETag: all reads are of its bytes.

    Every method raises StorageUnavailable; reads also NotUploaded and ChangedMeanwhile.
    """

    storage: MediaStorage
    time: StorageTime
    upload: Upload
    found: StoredObject

    def verify(self) -> None:
        """Raises: Refused."""
        if self.found.size != self.upload.size:
            raise Refused("size")
        if canonical(self.found.content_type) != self.upload.content_type:
            raise Refused("content_type")
        if not matches(self.upload.content_type, self._head):
            raise Refused("content")

    def size(self) -> Size | None:
        """Width and height of a picture, if its first bytes say them."""
        return picture_size(self._head) if kind_of(self.upload.content_type) == PICTURE else None

    @cached_property
    def _head(self) -> bytes:
        return self.read(HEAD_BYTES)

    def text(self) -> MediaText | None:
        """The text of a document. Raises: Refused, WorkerUnreachable: no process can read it."""
        content_type = self.upload.content_type
        if kind_of(content_type) != DOCUMENT:
            return None
        from shared.media import documents  # pictures need none of it

        try:
            found = documents.text_of(content_type, self.read())
        except (DocumentHasNoText, DocumentUnreadable) as error:
            raise Refused(str(error.fields.get("reason", error.name))) from None
        return MediaText(found.text, found.pages, found.is_truncated)

    def read(self, length: int | None = None) -> bytes:
        key, etag = self.upload.object_key, self.found.etag
        return self._unchanged(lambda: self.storage.read(key, etag=etag, length=length))

    def copy(self, target: str) -> StoredObject:
        source, content_type = self.upload.object_key, self.upload.content_type
        etag = self.found.etag
        return self._unchanged(
            lambda: self.storage.copy(source, target, etag=etag, content_type=content_type)
        )

    def _unchanged(self, call: Callable[[], T]) -> T:
        try:
            return self.time.run(call)
        except ObjectMissing:
            raise NotUploaded from None
        except ObjectChanged:
            raise ChangedMeanwhile from None


def uploaded_object(storage: MediaStorage, time: StorageTime, upload: Upload) -> UploadedObject:
    """Raises: NotUploaded, StorageUnavailable."""
    found = time.run(lambda: storage.find(upload.object_key))
    if found is None:
        raise NotUploaded
    return UploadedObject(storage, time, upload, found)
