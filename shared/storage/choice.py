"""Where files go: the bucket, or a folder that stands in for it."""

from collections.abc import Mapping
from typing import Protocol

from shared import settings
from shared.config import load
from shared.credentials import Credentials
from shared.errors import Misconfigured


class Upload(Protocol):
    def put(self, data: bytes, /) -> None: ...
    def complete(self) -> None: ...
    def abort(self) -> None: ...


class Storage(Protocol):
    def begin(self, key: str, media_type: str, metadata: Mapping[str, str], /) -> Upload: ...
    def link(self, key: str, filename: str, seconds: int, /) -> str: ...
    def remove_all(self, prefix: str, /) -> None: ...


def storage(called_with: Credentials | None = None) -> Storage:
    """oss2 takes a third of a second to import; only whoever gets here pays for it.

    Raises: Misconfigured: there is neither a bucket nor a folder.
    """
    settled = load(settings.Storage)
    if settled.bucket:
        from shared.storage.oss_bucket import Bucket

        return Bucket(settled, called_with)
    if settled.folder:
        from shared.storage.folder import Folder

        return Folder(settled, load(settings.Tokens).secret)
    raise Misconfigured(problems=["OSS_BUCKET is not set"])
