"""Multipart uploads of the fake bucket, and its lists."""

import base64
import hashlib
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from tests.fakes.oss_bucket import BUCKET, Begun, Object, Refused
from tests.fakes.oss_wire import Wire

_SMALLEST_PART = 100 * 1024


class MultipartActions(Wire):
    def _begin(self, _: bytes) -> None:
        upload_id = f"U{next(self.bucket.numbers)}"
        kept = ("content-type", "x-oss-meta-")
        headers = {k: v for k, v in self.headers.items() if k.lower().startswith(kept)}
        self.bucket.uploads[upload_id] = Begun(self.key, headers)
        names = f"<Bucket>{BUCKET}</Bucket><Key>{escape(self.key)}</Key>"
        self.xml("InitiateMultipartUploadResult", f"{names}<UploadId>{upload_id}</UploadId>")

    def _begun(self) -> Begun:
        begun = self.bucket.uploads.get(self.query["uploadId"])
        if begun is None or begun.key != self.key:
            raise Refused(404, "NoSuchUpload")
        return begun

    def _part(self, body: bytes) -> None:
        digest = hashlib.md5(body, usedforsecurity=False)
        if self.headers.get("Content-MD5", "") != base64.b64encode(digest.digest()).decode():
            raise Refused(400, "InvalidDigest")
        self._begun().parts[int(self.query["partNumber"])] = body
        self.answer(200, b"", ETag=f'"{digest.hexdigest().upper()}"')

    def _complete(self, body: bytes) -> None:
        begun = self._begun()
        wanted = [
            (int(part.findtext("PartNumber", "")), part.findtext("ETag", "").strip('"'))
            for part in ElementTree.fromstring(body).iter("Part")  # noqa: S314  # our own client
        ]
        held = {n: hashlib.md5(p, usedforsecurity=False) for n, p in begun.parts.items()}
        if not wanted or [(n, held[n].hexdigest().upper()) for n, _ in wanted] != wanted:
            raise Refused(400, "InvalidPart")
        pieces = [begun.parts[number] for number, _ in wanted]
        if any(len(piece) < _SMALLEST_PART for piece in pieces[:-1]):
            raise Refused(400, "EntityTooSmall")
        self.bucket.objects[self.key] = Object(b"".join(pieces), begun.headers)
        del self.bucket.uploads[self.query["uploadId"]]
        self.xml("CompleteMultipartUploadResult", f"<Key>{escape(self.key)}</Key>")

    def _abort(self, _: bytes) -> None:
        self._begun()
        del self.bucket.uploads[self.query["uploadId"]]
        self.answer(204, b"")

    def _list_uploads(self, _: bytes) -> None:
        prefix = self.query.get("prefix", "")
        found = "".join(
            f"<Upload><Key>{escape(begun.key)}</Key><UploadId>{upload_id}</UploadId>"
            "<Initiated>2026-11-22T12:00:00.000Z</Initiated></Upload>"
            for upload_id, begun in self.bucket.uploads.items()
            if begun.key.startswith(prefix)
        )
        self.xml(
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
        self.xml("ListBucketResult", f"<IsTruncated>false</IsTruncated>{found}")
