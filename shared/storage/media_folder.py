"""Media in a local folder in place of the bucket, with the same signatures.

Clients upload to and read from the local gateway, which checks the signatures.
"""

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from shared.config import Secret
from shared.credentials import Credentials
from shared.errors import StorageUnavailable
from shared.ids import new_id
from shared.settings import Storage
from shared.storage.bucket_address import BucketAddress
from shared.storage.folder import LINK_PATH
from shared.storage.folder_paths import about_file, object_path
from shared.storage.media_storage import (
    ObjectChanged,
    ObjectMissing,
    SignedForm,
    SignedPut,
    StoredObject,
    UploadTerms,
)
from shared.storage.presigner import Presigner

FOLDER_BUCKET, FOLDER_REGION, FOLDER_KEY_ID = "folder", "local", "folder"


class MediaFolder:
    def __init__(self, config: Storage, secret: Secret) -> None:
        self._root = Path(config.folder)
        address = BucketAddress(f"{config.folder_url}{LINK_PATH.rstrip('/')}", FOLDER_BUCKET)
        self._presigner = Presigner(address, FOLDER_REGION, lambda: folder_keys(secret))

    def form(self, terms: UploadTerms) -> SignedForm:
        return self._presigner.form(terms)

    def put(self, terms: UploadTerms) -> SignedPut:
        return self._presigner.put(terms)

    def link(
        self, key: str, *, filename: str, seconds: int, process: str = "", inline: bool = False
    ) -> str:
        return self._presigner.link(
            key, filename=filename, seconds=seconds, process=process, inline=inline
        )

    def find(self, key: str) -> StoredObject | None:
        try:
            return _stored(self._content(key), self._content_type(key))
        except ObjectMissing:
            return None

    def read(self, key: str, *, etag: str, start: int = 0, length: int | None = None) -> bytes:
        content = self._unchanged(key, etag)
        return content[start:] if length is None else content[start : start + length]

    def copy(self, source: str, target: str, *, etag: str, content_type: str) -> StoredObject:
        content, place = self._unchanged(source, etag), object_path(self._root, target)
        with _reported():
            half = unfinished(place)
            half.write_bytes(content)
            finish(half, place, content_type)
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
            return content_type_of(object_path(self._root, key))


def folder_keys(secret: Secret) -> Credentials:
    """The access key of the folder: the secret of tokens, which functions and gateway share."""
    return Credentials(FOLDER_KEY_ID, secret)


def unfinished(place: Path) -> Path:
    """A new file beside the object's, where its bytes are collected."""
    place.parent.mkdir(parents=True, exist_ok=True)
    return place.with_name(f".{place.name}.{new_id()}")


def finish(half: Path, place: Path, content_type: str) -> None:
    """Make a collected file the object, in place of an older one."""
    about = half.with_name(f"{half.name}.about")
    about.write_text(json.dumps({"media_type": content_type}), "utf-8")
    os.replace(about, about_file(place))
    os.replace(half, place)


def content_type_of(place: Path) -> str:
    return str(json.loads(about_file(place).read_text("utf-8"))["media_type"])


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
