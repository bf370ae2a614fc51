"""Access keys of the bucket: configured ones, or those of the function's role."""

from shared.credentials import Credentials, of_role
from shared.errors import Misconfigured
from shared.settings import Storage


def bucket_keys(config: Storage, called_with: Credentials | None) -> Credentials:
    """The keys to sign with now; the platform replaces those of a role.

    Raises: Misconfigured: there are none.
    """
    own = Credentials(config.access_key_id, config.access_key_secret)
    keys = own or of_role(called_with)
    if not keys:
        raise Misconfigured(problems=["OSS_ACCESS_KEY_ID is not set, nor has this a role"])
    return keys
