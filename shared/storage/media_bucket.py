"""Media in the bucket: signatures for clients, and our own requests over http.client."""

from functools import cached_property
from typing import TYPE_CHECKING

from shared.credentials import Credentials
from shared.settings import Storage
from shared.storage.bucket_address import BucketAddress
from shared.storage.bucket_keys import bucket_keys
from shared.storage.media_storage import StoredObject
from shared.storage.presigner import PresignedStorage, Presigner

if TYPE_CHECKING:
    from shared.storage.bucket_requests import BucketRequests


class MediaBucket(PresignedStorage):
    def __init__(self, config: Storage, called_with: Credentials | None = None) -> None:
        self._config, self._called_with = config, called_with
        public = BucketAddress.at(config.public_url, config.bucket)
        super().__init__(Presigner(public, config.region, self._keys))

    def _keys(self) -> Credentials:
        return bucket_keys(self._config, self._called_with)

    @cached_property
    def _requests(self) -> "BucketRequests":
        """Imported at the first request, because who only signs needs no http.client and TLS."""
        from shared.storage.bucket_requests import BucketRequests

        ours = BucketAddress.at(self._config.internal_url, self._config.bucket)
        return BucketRequests(ours, self._config.region, self._keys)

    def find(self, key: str) -> StoredObject | None:
        return self._requests.in_time(lambda call: call.find(key))

    def read(self, key: str, *, etag: str, start: int = 0, length: int | None = None) -> bytes:
        return self._requests.in_time(lambda call: call.read(key, etag, start, length))

    def read_whole(self, key: str, *, process: str = "") -> bytes:
        return self._requests.in_time(lambda call: call.read_whole(key, process))

    def copy(self, source: str, target: str, *, etag: str, content_type: str) -> StoredObject:
        return self._requests.in_time(lambda call: call.copy(source, target, etag, content_type))

    def remove(self, key: str) -> None:
        self._requests.in_time(lambda call: call.remove(key))
