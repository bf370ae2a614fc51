"""The state of the fake bucket: its objects, the requests that it saw, and faults on demand."""

import hashlib
import itertools
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import crcmod  # type: ignore[import-untyped]  # it has none

from tests.fakes.oss_signature import Key
from tests.patience import HANG_SECONDS

BUCKET, REGION = "test-bucket", "cn-hangzhou"
KEY = Key("key-id-of-tests", "canary-of-the-key-secret")

_crc64 = crcmod.mkCrcFun(0x142F0E1EBA9EA3693, initCrc=0, xorOut=2**64 - 1, rev=True)


class Refused(Exception):
    """The service refuses the request with an error code."""

    def __init__(self, status: int, code: str) -> None:
        self.status, self.code = status, code


@dataclass
class Object:
    body: bytes
    headers: dict[str, str]

    @property
    def etag(self) -> str:
        return hashlib.md5(self.body, usedforsecurity=False).hexdigest().upper()

    @property
    def crc64(self) -> str:
        return str(_crc64(self.body))

    @property
    def computed_headers(self) -> dict[str, str]:
        return {"ETag": f'"{self.etag}"', "x-oss-hash-crc64ecma": self.crc64}

    @property
    def all_headers(self) -> dict[str, str]:
        return {**self.headers, **self.computed_headers}


@dataclass
class Begun:
    key: str
    headers: dict[str, str]
    parts: dict[int, bytes] = field(default_factory=dict)


@dataclass
class Bucket:
    """The stored objects and the pending faults; each fault affects the next matching request.

    `fail` answers with its status; `stall` waits until `gate` opens; `reset` breaks the
    connection before the effect, `lose` after it; `drip` sends the answer byte by byte.
    """

    url: str = ""
    key: Key = KEY
    objects: dict[str, Object] = field(default_factory=dict)
    uploads: dict[str, Begun] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    processed: list[tuple[str, str]] = field(default_factory=list)
    fail: list[tuple[str, int]] = field(default_factory=list)
    stall: list[str] = field(default_factory=list)
    reset: list[str] = field(default_factory=list)
    lose: list[str] = field(default_factory=list)
    drip: list[str] = field(default_factory=list)
    gate: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)
    numbers: Iterator[int] = field(default_factory=itertools.count)

    @property
    def variables(self) -> dict[str, str]:
        return {
            "OSS_BUCKET": BUCKET,
            "OSS_REGION": REGION,
            "OSS_ENDPOINT": self.url,
            "OSS_PUBLIC_ENDPOINT": self.url,
            "OSS_ACCESS_KEY_ID": self.key.id,
            "OSS_ACCESS_KEY_SECRET": self.key.secret,
        }

    def fault(self, name: str) -> "Fault":
        """Take the faults of a request, and wait if it stalls."""
        with self.lock:
            self.requests.append(name)
            found = next((one for one in self.fail if one[0] == name), None)
            if found:
                self.fail.remove(found)
            fault = Fault(
                status=found[1] if found else 0,
                resets=_take(self.reset, name),
                loses=_take(self.lose, name),
                drips=_take(self.drip, name),
            )
            stalls = _take(self.stall, name)
        if stalls:
            self.gate.wait(HANG_SECONDS)
        return fault


@dataclass(frozen=True)
class Fault:
    status: int = 0
    resets: bool = False
    loses: bool = False
    drips: bool = False


def _take(pending: list[str], name: str) -> bool:
    if name in pending:
        pending.remove(name)
        return True
    return False
