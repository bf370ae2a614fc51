"""Requests to the private bucket over http.client: find, read, copy and remove objects."""

import base64
import random
import re
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from http.client import HTTPConnection, HTTPException, HTTPMessage, HTTPSConnection
from types import MappingProxyType
from typing import TypeVar
from urllib.parse import quote, urlsplit

from shared.credentials import Credentials
from shared.errors import StorageUnavailable
from shared.storage.bucket_address import BucketAddress
from shared.storage.deadline import Deadline, TimeIsUp, in_time
from shared.storage.media_storage import ObjectChanged, ObjectMissing, StoredObject
from shared.storage.oss_signature import Signer, encode_query

T = TypeVar("T")

_CALL_SECONDS, _SILENT_SECONDS = 4.0, 1.5
_FIRST_PAUSE_SECONDS = 0.1
_CODE_BYTES = 4096


@dataclass(frozen=True)
class BucketRequests:
    address: BucketAddress
    region: str
    keys: Callable[[], Credentials]

    def in_time(self, work: "Callable[[BucketCall], T]") -> T:
        """Run one call on the bucket. Raises: StorageUnavailable, within 5 seconds in all."""
        keys = self.keys()
        try:
            return in_time(_CALL_SECONDS, lambda d: work(BucketCall(self, keys, d)))
        except TimeIsUp:
            raise StorageUnavailable(reason="it did not answer in time") from None


@dataclass(frozen=True)
class _Answer:
    status: int
    headers: HTTPMessage
    body: bytes

    @property
    def code(self) -> str:
        """OSS's error code; of a HEAD request it is in a header. Its prose quotes signed text."""
        encoded = self.headers.get("x-oss-err", "")
        error = self.body[:_CODE_BYTES] or base64.b64decode(encoded + "===")
        found = re.search(rb"<Code>(\w{1,64})</Code>", error)
        return found[1].decode() if found else ""

    @property
    def is_missing(self) -> bool:
        return self.status == 404 and self.code in {"", "NoSuchKey"}

    @property
    def failure(self) -> StorageUnavailable:
        ec = self.headers.get("x-oss-ec", "")[:64]
        return StorageUnavailable(status=self.status, code=self.code, ec=ec)


@dataclass(frozen=True)
class BucketCall:
    """One call: requests that are repeated until its deadline. Each of them may be repeated."""

    bucket: BucketRequests
    keys: Credentials
    deadline: Deadline

    def find(self, key: str) -> StoredObject | None:
        answer = self._sent("HEAD", key, {})
        return None if answer.is_missing else _stored(_good(answer))

    def read(self, key: str, etag: str, start: int, length: int | None) -> bytes:
        if length == 0:
            return b""
        last = "" if length is None else str(start + length - 1)
        wanted = {"Range": f"bytes={start}-{last}", "x-oss-range-behavior": "standard"}
        answer = self._sent("GET", key, {"If-Match": etag, **wanted})
        if answer.status == 416:  # it ends before `start`
            return b""
        body = _good(answer).body
        return body if answer.status == 206 else body[start:][:length]

    def read_whole(self, key: str, process: str) -> bytes:
        query = {"x-oss-process": process} if process else {}
        return _good(self._sent("GET", key, {}, query)).body

    def copy(self, source: str, target: str, etag: str, content_type: str) -> StoredObject:
        headers = {
            "Content-Type": content_type,
            "x-oss-copy-source": quote(self.bucket.address.resource(source)),
            "x-oss-copy-source-if-match": etag,
            "x-oss-metadata-directive": "REPLACE",
        }
        _good(self._sent("PUT", target, headers))
        copied = self.find(target)
        if copied is None:
            raise ObjectMissing
        return copied

    def remove(self, key: str) -> None:
        answer = self._sent("DELETE", key, {})
        if not answer.is_missing:
            _good(answer)

    def _sent(
        self,
        method: str,
        key: str,
        headers: Mapping[str, str],
        query: Mapping[str, str] = MappingProxyType({}),
    ) -> _Answer:
        """Send a request, again after failures of the network or the service."""
        pause = _FIRST_PAUSE_SECONDS
        while True:
            try:
                answer = self._once(method, key, headers, query)
                if answer.status < 500 and answer.status != 429:
                    return answer
                failure = answer.failure
            except (OSError, HTTPException, UnicodeError) as error:  # the last: a host is no name
                failure = StorageUnavailable(reason=type(error).__name__)
            if self.deadline.seconds_left < pause * 2:
                raise failure
            time.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311  # jitter
            pause *= 2

    def _once(
        self, method: str, key: str, headers: Mapping[str, str], query: Mapping[str, str]
    ) -> _Answer:
        address, limit = self.bucket.address, min(_SILENT_SECONDS, self.deadline.seconds_left)
        signer = Signer.of_time(self.keys, self.bucket.region, time.time())
        signed = signer.signed_headers(method, address.resource(key), query, headers)
        url = urlsplit(address.url(key))
        connection = _connection(url.scheme, url.netloc, max(limit, 0.1))
        try:
            connection.connect()
            self.deadline.socket = connection.sock
            target = f"{url.path}?{encode_query(query)}" if query else url.path
            connection.request(method, target, headers=signed)
            response = connection.getresponse()
            return _Answer(response.status, response.headers, response.read())
        finally:
            connection.close()


def _connection(scheme: str, netloc: str, seconds: float) -> HTTPConnection:
    if scheme == "https":
        return HTTPSConnection(netloc, timeout=seconds, context=_tls())
    return HTTPConnection(netloc, timeout=seconds)


@cache
def _tls() -> ssl.SSLContext:
    """Loading the certificates takes longer than a request."""
    return ssl.create_default_context()


def _good(answer: _Answer) -> _Answer:
    """Raises: ObjectChanged, ObjectMissing, StorageUnavailable."""
    if answer.is_missing:
        raise ObjectMissing
    if answer.status == 412:
        raise ObjectChanged
    if answer.status not in {200, 204, 206}:
        raise answer.failure
    return answer


def _stored(answer: _Answer) -> StoredObject:
    headers, size = answer.headers, answer.headers.get("Content-Length", "")
    if not re.fullmatch("[0-9]{1,15}", size):
        raise StorageUnavailable(status=answer.status, reason="it did not say the size")
    etag = headers.get("ETag", "").strip('"')
    crc64 = headers.get("x-oss-hash-crc64ecma", "")
    return StoredObject(int(size), headers.get("Content-Type", ""), etag, crc64)
