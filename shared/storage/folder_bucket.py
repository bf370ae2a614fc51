"""The folder as a bucket: its address at the local gateway, and its access key."""

from collections.abc import Callable

from shared.config import Secret
from shared.credentials import Credentials
from shared.settings import Storage
from shared.storage.bucket_address import BucketAddress
from shared.storage.presigner import Presigner

LINK_PATH = "/.storage/"
FOLDER_BUCKET, FOLDER_REGION = "folder", "local"


def folder_presigner(config: Storage, secret: Callable[[], Secret]) -> Presigner:
    address = BucketAddress(f"{config.folder_url}{LINK_PATH.rstrip('/')}", FOLDER_BUCKET)
    return Presigner(address, FOLDER_REGION, lambda: folder_keys(secret()))


def folder_keys(secret: Secret) -> Credentials:
    """The access key. Its secret is that of tokens, which functions and gateway share."""
    return Credentials("folder", secret)
