"""Uploads as clients make them, by form and by PUT."""

import time
from collections.abc import Mapping

import httpx

from shared.storage.media_storage import MediaStorage, SignedForm, SignedPut, UploadTerms
from tests.patience import HANG_SECONDS

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 4
KEY = "tmp/01USER/01UPLOAD"


def terms(size: int = len(PNG), *, seconds: float = 600, key: str = KEY) -> UploadTerms:
    return UploadTerms(key, "image/png", size, int((time.time() + seconds) * 1000))


def send_form(
    form: SignedForm,
    content: bytes = PNG,
    *,
    fields: Mapping[str, str | None] | None = None,
    file_type: str = "image/png",
) -> httpx.Response:
    """Send a form as a mini program does, the file last; fields that are None are left out."""
    given = {**form.fields, **(fields or {})}
    sent = {name: value for name, value in given.items() if value is not None}
    files = {"file": ("药盒.png", content, file_type)}
    return httpx.post(form.url, data=sent, files=files, timeout=HANG_SECONDS)


def send_put(
    put: SignedPut, content: bytes = PNG, *, headers: Mapping[str, str] | None = None
) -> httpx.Response:
    sent = dict(put.headers) if headers is None else dict(headers)
    return httpx.put(put.url, content=content, headers=sent, timeout=HANG_SECONDS)


def stored(media: MediaStorage, content: bytes = PNG, key: str = KEY) -> str:
    """Upload by form; return the ETag."""
    assert send_form(media.form(terms(len(content), key=key)), content).status_code == 200
    found = media.find(key)
    assert found is not None
    return found.etag


def code(answer: httpx.Response) -> str:
    """The code of OSS's error document."""
    return answer.text.partition("<Code>")[2].partition("</Code>")[0]
