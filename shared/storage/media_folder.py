"""Media in a local folder in place of the bucket, with the same signatures.

Clients upload to and read from the local gateway, which checks the signatures.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from shared.errors import StorageUnavailable
from shared.settings import Storage
from shared.storage.folder_files import about, about_file, finish, object_path, unfinished
from shared.storage.media_storage import (
    ObjectChanged,
    ObjectMissing,
    StoredObject,
)
from shared.storage.presigner import PresignedStorage, Presigner


class MediaFolder(PresignedStorage):
    def __init__(self, config: Storage, presigner: Presigner) -> None:
        super().__init__(presigner)
        self._root = Path(config.folder)

    def find(self, key: str) -> StoredObject | None:
        try:
            return _stored(self._content(key), self._content_type(key))
        except ObjectMissing:
            return None

    def read(self, key: str, *, etag: str, start: int = 0, length: int | None = None) -> bytes:
        content = self._unchanged(key, etag)
        return content[start:] if length is None else content[start : start + length]

    def read_whole(self, key: str, *, process: str = "") -> bytes:  # a bucket's
        return self._content(key)

    def copy(self, source: str, target: str, *, etag: str, content_type: str) -> StoredObject:
        content, place = self._unchanged(source, etag), object_path(self._root, target)
        with _reported():
            half = unfinished(place)
            half.write_bytes(content)
            finish(half, place, {"media_type": content_type})
        return _stored(content, content_type)

    def remove(self, key: str) -> None:
        place = object_path(self._root, key)
        with _reported():
            place.unlink(missing_ok=True)
            about_file(place).unlink(missing_ok=True)

    def _unchanged(self, key: str, etag: str) -> bytes:
        content = self._content(key)
        if etag_of(content) != etag:
            raise ObjectChanged
        return content

    def _content(self, key: str) -> bytes:
        with _reported():
            return object_path(self._root, key).read_bytes()

    def _content_type(self, key: str) -> str:
        with _reported():
            return about(object_path(self._root, key))["media_type"]


def etag_of(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest().upper()


def _stored(content: bytes, content_type: str) -> StoredObject:
    return StoredObject(len(content), content_type, etag_of(content), "")


@contextmanager
def _reported() -> Iterator[None]:
    """Raises: ObjectMissing, StorageUnavailable: the file is missing, or the disk fails."""
    try:
        yield
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        raise ObjectMissing from None
    except OSError as error:
        raise StorageUnavailable(reason=type(error).__name__) from None
