"""A fake OSS bucket on a real socket, with multipart uploads and errors on demand."""

import base64
import hashlib
import itertools
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, unquote, urlsplit
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from tests.fakes.oss_signature import Key, Signed, refusal
from tests.patience import HANG_SECONDS

BUCKET, REGION = "test-bucket", "cn-hangzhou"
KEY = Key("key-id-of-tests", "canary-of-the-key-secret")
_SMALLEST_PART = 100 * 1024


@dataclass
class Object:
    body: bytes
    headers: dict[str, str]


@dataclass
class Begun:
    key: str
    headers: dict[str, str]
    parts: dict[int, bytes] = field(default_factory=dict)


@dataclass
class Bucket:
    """The stored objects and the pending faults; each fault affects the next matching request.

    `fail` answers with its status; `stall` waits until `gate` opens.
    """

    url: str = ""
    key: Key = KEY
    objects: dict[str, Object] = field(default_factory=dict)
    uploads: dict[str, Begun] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    fail: list[tuple[str, int]] = field(default_factory=list)
    stall: list[str] = field(default_factory=list)
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

    def fault(self, name: str) -> int:
        """Take the fault of a request: wait if it stalls; return its error status, or 0."""
        with self.lock:
            self.requests.append(name)
            stalls = name in self.stall
            if stalls:
                self.stall.remove(name)
            found = next((one for one in self.fail if one[0] == name), None)
            if found:
                self.fail.remove(found)
        if stalls:
            self.gate.wait(HANG_SECONDS)
        return found[1] if found else 0


class _Refused(Exception):
    def __init__(self, status: int, code: str) -> None:
        self.status, self.code = status, code


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    bucket: Bucket

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        try:
            self._check()
            self._act(body)
        except _Refused as refused:
            text = f"<Error><Code>{refused.code}</Code><EC>0000-00000001</EC></Error>"
            self._answer(refused.status, text.encode())

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _serve

    def _check(self) -> None:
        parts = urlsplit(self.path)
        self.path_, self.query = unquote(parts.path), dict(parse_qsl(parts.query, True))
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Signed(self.command, self.path_, self.query, headers)
        problem = refusal(request, self.bucket.key, REGION)
        if problem:
            raise _Refused(403, problem)
        found = re.fullmatch(f"/{BUCKET}/(.*)", self.path_)
        if found is None:
            raise _Refused(404, "NoSuchBucket")
        self.key = found[1]

    def _act(self, body: bytes) -> None:
        actions = {
            ("POST", "uploads"): self._begin,
            ("PUT", "uploadId"): self._part,
            ("POST", "uploadId"): self._complete,
            ("DELETE", "uploadId"): self._abort,
            ("GET", "uploads"): self._list_uploads,
            ("GET", "list-type"): self._list_objects,
            ("GET", ""): self._read,
            ("HEAD", ""): self._read,
            ("DELETE", ""): self._delete,
        }
        names = ("uploads", "uploadId", "list-type")
        action = actions[self.command, next((n for n in names if n in self.query), "")]
        status = self.bucket.fault(action.__name__.removeprefix("_"))
        if status:
            raise _Refused(status, "InternalError" if status >= 500 else "AccessDenied")
        action(body)

    def _begin(self, _: bytes) -> None:
        upload_id = f"U{next(self.bucket.numbers)}"
        kept = ("content-type", "x-oss-meta-")
        headers = {k: v for k, v in self.headers.items() if k.lower().startswith(kept)}
        self.bucket.uploads[upload_id] = Begun(self.key, headers)
        names = f"<Bucket>{BUCKET}</Bucket><Key>{escape(self.key)}</Key>"
        self._xml("InitiateMultipartUploadResult", f"{names}<UploadId>{upload_id}</UploadId>")

    def _begun(self) -> Begun:
        begun = self.bucket.uploads.get(self.query["uploadId"])
        if begun is None or begun.key != self.key:
            raise _Refused(404, "NoSuchUpload")
        return begun

    def _part(self, body: bytes) -> None:
        digest = hashlib.md5(body, usedforsecurity=False)
        if self.headers.get("Content-MD5", "") != base64.b64encode(digest.digest()).decode():
            raise _Refused(400, "InvalidDigest")
        self._begun().parts[int(self.query["partNumber"])] = body
        self._answer(200, b"", ETag=f'"{digest.hexdigest().upper()}"')

    def _complete(self, body: bytes) -> None:
        begun = self._begun()
        wanted = [
            (int(part.findtext("PartNumber", "")), part.findtext("ETag", "").strip('"'))
            for part in ElementTree.fromstring(body).iter("Part")  # noqa: S314  # our own client
        ]
        held = {n: hashlib.md5(p, usedforsecurity=False) for n, p in begun.parts.items()}
        if not wanted or [(n, held[n].hexdigest().upper()) for n, _ in wanted] != wanted:
            raise _Refused(400, "InvalidPart")
        pieces = [begun.parts[number] for number, _ in wanted]
        if any(len(piece) < _SMALLEST_PART for piece in pieces[:-1]):
            raise _Refused(400, "EntityTooSmall")
        self.bucket.objects[self.key] = Object(b"".join(pieces), begun.headers)
        del self.bucket.uploads[self.query["uploadId"]]
        self._xml("CompleteMultipartUploadResult", f"<Key>{escape(self.key)}</Key>")

    def _abort(self, _: bytes) -> None:
        self._begun()
        del self.bucket.uploads[self.query["uploadId"]]
        self._answer(204, b"")

    def _list_uploads(self, _: bytes) -> None:
        prefix = self.query.get("prefix", "")
        found = "".join(
            f"<Upload><Key>{escape(begun.key)}</Key><UploadId>{upload_id}</UploadId>"
            "<Initiated>2026-11-22T12:00:00.000Z</Initiated></Upload>"
            for upload_id, begun in self.bucket.uploads.items()
            if begun.key.startswith(prefix)
        )
        self._xml(
            "ListMultipartUploadsResult",
            f"<IsTruncated>false</IsTruncated><NextKeyMarker/><NextUploadIdMarker/>{found}",
        )

    def _list_objects(self, _: bytes) -> None:
        found = "".join(
            f"<Contents><Key>{escape(key)}</Key><LastModified>2026-11-22T12:00:00.000Z"
            f"</LastModified><ETag>x</ETag><Type>Multipart</Type><Size>{len(one.body)}</Size>"
            "<StorageClass>Standard</StorageClass></Contents>"
            for key, one in self.bucket.objects.items()
            if key.startswith(self.query.get("prefix", ""))
        )
        self._xml("ListBucketResult", f"<IsTruncated>false</IsTruncated>{found}")

    def _read(self, _: bytes) -> None:
        found = self.bucket.objects.get(self.key)
        if found is None:
            raise _Refused(404, "NoSuchKey")
        headers = dict(found.headers)
        if "response-content-disposition" in self.query:
            headers["Content-Disposition"] = self.query["response-content-disposition"]
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if wanted is None:
            self._answer(200, found.body, **headers)
            return
        first, size = int(wanted[1]), len(found.body)
        last = min(int(wanted[2] or size), size - 1)
        headers["Content-Range"] = f"bytes {first}-{last}/{size}"
        self._answer(206, found.body[first : last + 1], **headers)

    def _delete(self, _: bytes) -> None:
        self.bucket.objects.pop(self.key, None)
        self._answer(204, b"")

    def _xml(self, name: str, content: str) -> None:
        text = f'<?xml version="1.0" encoding="UTF-8"?><{name}>{content}</{name}>'
        self._answer(200, text.encode(), **{"Content-Type": "application/xml"})

    def _answer(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.send_header("x-oss-request-id", "test")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def running(key: Key = KEY) -> Iterator[Bucket]:
    bucket = Bucket(key=key)
    handler = type("Handler", (_Handler,), {"bucket": bucket})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        bucket.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield bucket
        finally:
            bucket.gate.set()
            server.shutdown()
            thread.join()
