"""A local folder in place of the bucket: files written in parts, read by signed links."""

import hashlib
import hmac
import json
import os
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote, urlencode

from shared.config import Secret
from shared.ids import new_id
from shared.settings import Storage
from shared.storage.folder_paths import about_file

LINK_PATH = "/.storage/"


class FolderUpload:
    """A file that appears under its name when it is complete."""

    def __init__(self, path: Path, about: Mapping[str, object]) -> None:
        self._path, self._about = path, about
        self._unfinished = path.with_name(f".{path.name}.{new_id()}")
        self._unfinished.parent.mkdir(parents=True, exist_ok=True)
        self._file = self._unfinished.open("wb", buffering=0)

    def put(self, data: bytes) -> None:
        self._file.write(data)

    def complete(self) -> None:
        self._file.close()
        about_file(self._path).write_text(json.dumps(self._about), "utf-8")
        os.replace(self._unfinished, self._path)

    def abort(self) -> None:
        self._file.close()
        self._unfinished.unlink(missing_ok=True)


class Folder:
    def __init__(self, config: Storage, secret: Secret) -> None:
        self._root, self._url = Path(config.folder), config.folder_url
        self._secret = secret

    def begin(self, key: str, media_type: str, metadata: Mapping[str, str]) -> FolderUpload:
        return FolderUpload(self._root / key, {"media_type": media_type, **metadata})

    def link(self, key: str, filename: str, seconds: int) -> str:
        expires = int(time.time()) + seconds
        query = {"filename": filename, "expires": expires}
        signed = {**query, "signature": _signature(self._secret, key, filename, expires)}
        return f"{self._url}{LINK_PATH}{quote(key)}?{urlencode(signed)}"

    def remove_all(self, prefix: str) -> None:
        shutil.rmtree(self._root / prefix, ignore_errors=True)


def opens(secret: Secret, key: str, query: Mapping[str, str]) -> bool:
    """Whether a link to this key has our signature and has not expired."""
    filename, expires = query.get("filename", ""), query.get("expires", "")
    if not expires.isascii() or not expires.isdigit() or int(expires) < time.time():
        return False
    expected = _signature(secret, key, filename, int(expires))
    return hmac.compare_digest(expected.encode(), query.get("signature", "").encode())


def _signature(secret: Secret, key: str, filename: str, expires: int) -> str:
    """The signature of a link, with a label so that it is valid for no other purpose."""
    text = json.dumps(["storage link", key, filename, expires])
    return hmac.new(secret.reveal().encode(), text.encode(), hashlib.sha256).hexdigest()
