"""A local folder in place of the bucket: files written in parts, read by signed links."""

import shutil
from collections.abc import Mapping
from pathlib import Path

from shared.settings import Storage
from shared.storage.folder_files import finish, unfinished
from shared.storage.presigner import Presigner


class FolderUpload:
    """A file that appears under its name when it is complete."""

    def __init__(self, path: Path, about: Mapping[str, object]) -> None:
        self._path, self._about = path, about
        self._unfinished = unfinished(path)
        self._file = self._unfinished.open("wb", buffering=0)

    def put(self, data: bytes) -> None:
        self._file.write(data)

    def complete(self) -> None:
        self._file.close()
        finish(self._unfinished, self._path, self._about)

    def abort(self) -> None:
        self._file.close()
        self._unfinished.unlink(missing_ok=True)


class Folder:
    def __init__(self, config: Storage, presigner: Presigner) -> None:
        self._root, self._presigner = Path(config.folder), presigner

    def begin(self, key: str, media_type: str, metadata: Mapping[str, str]) -> FolderUpload:
        return FolderUpload(self._root / key, {"media_type": media_type, **metadata})

    def link(self, key: str, filename: str, seconds: int) -> str:
        return self._presigner.link(key, filename=filename, seconds=seconds)

    def remove_all(self, prefix: str) -> None:
        shutil.rmtree(self._root / prefix, ignore_errors=True)
