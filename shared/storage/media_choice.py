"""Choice of the storage of media: apart from `choice`, whose importers are deployed with oss2."""

from shared import settings
from shared.config import Secret, load
from shared.credentials import Credentials
from shared.errors import Misconfigured
from shared.storage.folder_bucket import folder_presigner
from shared.storage.media_storage import MediaStorage


def media_storage(called_with: Credentials | None = None) -> MediaStorage:
    """The storage of media, in the same bucket or folder as that of exports.

    Raises: Misconfigured: there is neither a bucket nor a folder.
    """
    config = load(settings.Storage)
    if config.bucket:
        from shared.storage.media_bucket import MediaBucket

        return MediaBucket(config, called_with)
    if config.folder:
        from shared.storage.media_folder import MediaFolder

        return MediaFolder(config, folder_presigner(config, token_secret))
    raise Misconfigured(problems=["OSS_BUCKET is not set"])


def token_secret() -> Secret:
    """Read when something is signed: functions that only read or remove files have no tokens."""
    return load(settings.Tokens).secret
