"""Choice of the file storage: the OSS bucket, or a local folder in its place."""

from collections.abc import Mapping
from typing import Protocol

from shared import settings
from shared.config import load
from shared.credentials import Credentials
from shared.errors import Misconfigured
from shared.storage.folder_bucket import folder_presigner
from shared.storage.media_choice import token_secret


class Upload(Protocol):
    def put(self, data: bytes, /) -> None: ...
    def complete(self) -> None: ...
    def abort(self) -> None: ...


class Storage(Protocol):
    def begin(self, key: str, media_type: str, metadata: Mapping[str, str], /) -> Upload: ...
    def link(self, key: str, filename: str, seconds: int, /) -> str: ...
    def remove_all(self, prefix: str, /) -> None: ...


def storage(called_with: Credentials | None = None) -> Storage:
    """The configured storage. Imports oss2 here, because that takes a third of a second.

    Raises: Misconfigured: there is neither a bucket nor a folder.
    """
    config = load(settings.Storage)
    if config.bucket:
        from shared.storage.oss_bucket import Bucket

        return Bucket(config, called_with)
    if config.folder:
        from shared.storage.folder import Folder

        return Folder(config, folder_presigner(config, token_secret))
    raise Misconfigured(problems=["OSS_BUCKET is not set"])
