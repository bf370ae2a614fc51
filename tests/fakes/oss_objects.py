"""Objects of the fake bucket: form, PUT, copy, HEAD, GET, DELETE."""

import re
from urllib.parse import unquote

from tests.fakes.oss_bucket import BUCKET, REGION, Object, Refused
from tests.fakes.oss_form import read_form
from tests.fakes.oss_policy import check_policy
from tests.fakes.oss_wire import Wire


class ObjectActions(Wire):
    def _form(self, body: bytes) -> None:
        """PostObject. The type of the object is the first that is given of these three."""
        form = read_form(self.headers.get("Content-Type", ""), body)
        check_policy(form.fields, len(form.content), BUCKET, REGION, self.bucket.key)
        types = (form.fields.get("x-oss-content-type"), form.content_type)
        content_type = next(filter(None, (*types, form.fields.get("content-type"))), "")
        stored = Object(form.content, {"Content-Type": content_type})
        self.bucket.objects[form.fields["key"]] = stored
        status = int(form.fields.get("success_action_status", "204"))
        self.answer(status if status in {200, 201} else 204, b"", ETag=f'"{stored.etag}"')

    def _put(self, body: bytes) -> None:
        stored = Object(body, {"Content-Type": self.headers.get("Content-Type", "")})
        self.bucket.objects[self.key] = stored
        self.answer(200, b"", **stored.computed_headers)

    def _copy(self, _: bytes) -> None:
        source = re.fullmatch(f"/{BUCKET}/(.*)", unquote(self.headers["x-oss-copy-source"]))
        found = self._existing(source[1] if source else "")
        wanted = self.headers.get("x-oss-copy-source-if-match")
        if wanted is not None and wanted.strip('"') != found.etag:
            raise Refused(412, "PreconditionFailed")
        headers = dict(found.headers)
        if self.headers.get("x-oss-metadata-directive", "").upper() == "REPLACE":
            headers = {"Content-Type": self.headers.get("Content-Type", "")}
        self.bucket.objects[self.key] = Object(found.body, headers)
        self.xml("CopyObjectResult", f"<ETag>&quot;{found.etag}&quot;</ETag>")

    def _head(self, _: bytes) -> None:
        found = self._existing(self.key)
        self.answer(200, found.body, **found.all_headers)

    def _read(self, _: bytes) -> None:
        found = self._existing(self.key)
        wanted = self.headers.get("If-Match")
        if wanted is not None and wanted.strip('"') != found.etag:
            raise Refused(412, "PreconditionFailed")
        headers = found.all_headers
        if "response-content-disposition" in self.query:
            headers["Content-Disposition"] = self.query["response-content-disposition"]
        if "x-oss-process" in self.query:
            self.bucket.processed.append((self.key, self.query["x-oss-process"]))
        ranged = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if ranged is None:
            self.answer(200, found.body, **headers)
        else:
            self._read_range(found.body, int(ranged[1]), ranged[2], headers)

    def _read_range(self, body: bytes, first: int, last: str, headers: dict[str, str]) -> None:
        if first >= len(body) or first > int(last or first):
            if self.headers.get("x-oss-range-behavior") == "standard":
                raise Refused(416, "InvalidRange")
            self.answer(200, body, **headers)
            return
        end = min(int(last or len(body)), len(body) - 1)
        headers["Content-Range"] = f"bytes {first}-{end}/{len(body)}"
        self.answer(206, body[first : end + 1], **headers)

    def _delete(self, _: bytes) -> None:
        self.bucket.objects.pop(self.key, None)
        self.answer(204, b"")

    def _existing(self, key: str) -> Object:
        found = self.bucket.objects.get(key)
        if found is None:
            raise Refused(404, "NoSuchKey")
        return found
