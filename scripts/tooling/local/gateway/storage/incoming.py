"""Files that are being received: written beside their place, and moved there when complete."""

import hashlib
from pathlib import Path

from scripts.tooling.local.gateway.storage.errors import (
    EntityTooLarge,
    EntityTooSmall,
    InvalidObjectName,
)
from scripts.tooling.local.gateway.storage.permissions import Sizes
from shared.storage.folder_files import KeyRefused, finish, object_path, unfinished


class Incoming:
    def __init__(self, root: Path, key: str, content_type: str, sizes: Sizes) -> None:
        """Raises: InvalidObjectName: no object can have this key."""
        self._content_type, self._sizes, self._size = content_type, sizes, 0
        self._hash = hashlib.md5(usedforsecurity=False)
        try:
            self._place = object_path(root, key)
            self._half = unfinished(self._place)
            self._file = self._half.open("wb", buffering=0)
        except (KeyRefused, FileExistsError, NotADirectoryError):
            raise InvalidObjectName("no file of this folder can have this name") from None

    def feed(self, data: bytes) -> None:
        """Raises: EntityTooLarge."""
        self._size += len(data)
        if self._size > self._sizes.most:
            raise EntityTooLarge(f"the file is over {self._sizes.most} bytes")
        self._hash.update(data)
        self._file.write(data)

    def complete(self) -> str:
        """Make the file the object; return its ETag. Raises: EntityTooSmall, InvalidObjectName."""
        if self._size < self._sizes.least:
            raise EntityTooSmall(f"the file is under {self._sizes.least} bytes")
        self._file.close()
        try:
            finish(self._half, self._place, {"media_type": self._content_type})
        except IsADirectoryError:
            raise InvalidObjectName("a folder has this name") from None
        return self._hash.hexdigest().upper()

    def close(self) -> None:
        """Remove what was not completed."""
        self._file.close()
        self._half.unlink(missing_ok=True)
