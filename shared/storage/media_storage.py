"""The storage of media: what the bucket, and the folder that replaces it, can do."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol


class ObjectChanged(Exception):
    """The object is not the one with this ETag: it was written again."""


class ObjectMissing(ObjectChanged):
    """There is no object with this key."""


@dataclass(frozen=True)
class UploadTerms:
    """Terms of one upload: the only object that a client may store, and until when.

    A form limits the size; a signed PUT cannot, so the size is checked after it.
    """

    key: str
    content_type: str
    size: int
    expires_at_ms: int


@dataclass(frozen=True)
class SignedForm:
    """A multipart form (PostObject): its fields, and then the file as the last part, `file`."""

    url: str
    fields: Mapping[str, str]


@dataclass(frozen=True)
class SignedPut:
    """A PUT request with the file as its body. Its headers are signed, so all must be sent."""

    url: str
    headers: Mapping[str, str]


@dataclass(frozen=True)
class StoredObject:
    """A stored object. `crc64` is the checksum that OSS reports, a decimal number.

    A folder has none: in Python it takes half a second per megabyte.
    """

    size: int
    content_type: str
    etag: str
    crc64: str


class MediaStorage(Protocol):
    """Private objects: uploaded by clients, checked and copied by us, opened by links.

    `form`, `put` and `link` only sign. The other methods raise StorageUnavailable within
    5 seconds, and may be called again after it: a second call ends in the same state.
    """

    def form(self, terms: UploadTerms) -> SignedForm: ...

    def put(self, terms: UploadTerms) -> SignedPut: ...

    def link(
        self, key: str, *, filename: str, seconds: int, process: str = "", inline: bool = False
    ) -> str:
        """A URL that opens the object for a number of seconds.

        `process` is a value of OSS's `x-oss-process`, such as `image/resize,w_400`; a folder
        ignores it. With credentials of a role the URL expires with them if that is earlier.
        """

    def find(self, key: str) -> StoredObject | None:
        """The object, or None if there is none. Raises: StorageUnavailable."""

    def read(self, key: str, *, etag: str, start: int = 0, length: int | None = None) -> bytes:
        """Bytes of the object from `start`; fewer than `length` where it ends.

        Raises: ObjectChanged, ObjectMissing, StorageUnavailable.
        """

    def read_whole(self, key: str, *, process: str = "") -> bytes:
        """The object, in a bucket as `process` makes it: a picture that is converted or smaller.

        Raises: ObjectMissing, StorageUnavailable.
        """

    def copy(self, source: str, target: str, *, etag: str, content_type: str) -> StoredObject:
        """Copy the object with this ETag; return the copy.

        Raises: ObjectChanged, ObjectMissing, StorageUnavailable.
        """

    def remove(self, key: str) -> None:
        """Remove the object, if there is one. Raises: StorageUnavailable."""
