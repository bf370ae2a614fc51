"""The OSS bucket: multipart uploads, and signed download links (V4 signatures).

The only importer of oss2. Its CRC check is off, because without a C extension it
takes longer than all the rest: each part carries its MD5 instead, which the service
verifies.
"""

import base64
import hashlib
import random
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import TypeVar

import oss2
from oss2.credentials import CredentialsProvider
from oss2.exceptions import OssError, RequestError
from oss2.models import PartInfo

from shared.credentials import Credentials
from shared.errors import StorageUnavailable
from shared.settings import Storage
from shared.storage.bucket_address import is_own_domain
from shared.storage.bucket_keys import bucket_keys

T = TypeVar("T")

_CONNECT_SECONDS, _SILENT_SECONDS = 5.0, 20.0
_ATTEMPTS = 3
_PAUSE_SECONDS = 0.2


class _Provider(CredentialsProvider):  # type: ignore[misc]  # oss2 has no types
    """Credentials read at every request, because the platform replaces those of a role."""

    def __init__(self, config: Storage, called_with: Credentials | None) -> None:
        self._config, self._called_with = config, called_with

    def get_credentials(self) -> oss2.credentials.Credentials:
        keys = bucket_keys(self._config, self._called_with)
        return oss2.credentials.Credentials(keys.key_id, keys.secret.reveal(), keys.token.reveal())


class Upload:
    """A multipart upload. The object exists only after `complete`."""

    def __init__(self, bucket: oss2.Bucket, key: str, upload_id: str) -> None:
        self._bucket, self._key, self._id = bucket, key, upload_id
        self._parts: list[PartInfo] = []

    def put(self, data: bytes) -> None:
        """Add the next part; all but the last need at least 100 KB. Raises: StorageUnavailable."""
        number = len(self._parts) + 1
        digest = hashlib.md5(data, usedforsecurity=False).digest()
        headers = {"Content-MD5": base64.b64encode(digest).decode()}
        uploaded = _repeated(
            lambda: self._bucket.upload_part(self._key, self._id, number, data, headers=headers)
        )
        self._parts.append(PartInfo(number, uploaded.etag))

    def complete(self) -> None:
        """Raises: StorageUnavailable, and then it is not known whether the object exists."""
        _once(lambda: self._bucket.complete_multipart_upload(self._key, self._id, self._parts))

    def abort(self) -> None:
        """Raises: StorageUnavailable."""
        _repeated(lambda: self._bucket.abort_multipart_upload(self._key, self._id))


class Bucket:
    def __init__(self, config: Storage, called_with: Credentials | None = None) -> None:
        auth = oss2.ProviderAuthV4(_Provider(config, called_with))
        self._ours = _bucket(config, auth, config.internal_url)
        self._public = _bucket(config, auth, config.public_url)

    def begin(self, key: str, media_type: str, metadata: Mapping[str, str]) -> Upload:
        """Raises: StorageUnavailable, Misconfigured."""
        custom = {f"x-oss-meta-{name}": text for name, text in metadata.items()}
        headers = {"Content-Type": media_type, **custom}
        upload = _repeated(lambda: self._ours.init_multipart_upload(key, headers=headers))
        return Upload(self._ours, key, upload.upload_id)

    def link(self, key: str, filename: str, seconds: int) -> str:
        """A signed URL that permits reading the object, for a number of seconds.

        Signed with the credentials of a role, it expires with them if that is earlier.
        """
        params = {"response-content-disposition": f'attachment; filename="{filename}"'}
        url: str = self._public.sign_url("GET", key, seconds, params=params, slash_safe=True)
        return url

    def remove_all(self, prefix: str) -> None:
        """Remove objects and incomplete uploads under the prefix. Raises: StorageUnavailable."""
        uploads = _repeated(lambda: self._ours.list_multipart_uploads(prefix=prefix))
        for upload in uploads.upload_list:
            Upload(self._ours, upload.key, upload.upload_id).abort()
        for found in _repeated(lambda: self._ours.list_objects_v2(prefix=prefix)).object_list:
            _repeated(partial(self._ours.delete_object, found.key))


def _bucket(config: Storage, auth: oss2.ProviderAuthV4, url: str) -> oss2.Bucket:
    session = oss2.Session()
    session.session.trust_env = False  # credentials in .netrc would replace our signature
    return oss2.Bucket(
        auth,
        url,
        config.bucket,
        is_cname=is_own_domain(url),
        session=session,
        connect_timeout=(_CONNECT_SECONDS, _SILENT_SECONDS),
        enable_crc=False,
        region=config.region,
    )


def _once(request: Callable[[], T]) -> T:
    try:
        return request()
    except OssError as error:
        raise _unavailable(error) from None


def _repeated(request: Callable[[], T]) -> T:
    """Run an idempotent request, again after failures of the network or the service."""
    for attempt in range(1, _ATTEMPTS):
        try:
            return request()
        except OssError as error:
            if not (isinstance(error, RequestError) or error.status >= 500):
                raise _unavailable(error) from None
            time.sleep(_PAUSE_SECONDS * attempt * random.uniform(0.5, 1.5))  # noqa: S311  # jitter
    return _once(request)


def _unavailable(error: OssError) -> StorageUnavailable:
    """Our error, without OSS's body, which quotes signed text. `ec` is OSS's detailed code."""
    return StorageUnavailable(status=error.status, code=str(error.code), ec=error.ec)
