"""Files, and a user who uploads them as clients do."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from functions.upload.index import handler
from shared.database.connection import Connection
from shared.database.transactions import read, transaction
from tests.events import Reply, invoke
from tests.patience import HANG_SECONDS

PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + bytes(range(256)) * 4
JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF" + bytes(range(256)) * 4
OTHER_PNG = PNG[:-1] + b"!"  # of the same size
HTML = b"<!DOCTYPE html><script>alert(1)</script>".ljust(len(PNG))


@dataclass(frozen=True)
class Uploader:
    id: str
    token: str

    def ask(
        self, method: str, path: str, body: object = None, *, key: str = "", **query: str
    ) -> Reply:
        headers = {"Idempotency-Key": key} if key else {}
        return invoke(
            handler, method, path, json_body=body, token=self.token, headers=headers, query=query
        )

    def presign(self, content: bytes = PNG, *, key: str = "", **fields: Any) -> Reply:
        file = {"filename": "药盒.png", "content_type": "image/png", "size": len(content)}
        return self.ask("POST", "/api/upload/presign", {**file, **fields}, key=key)

    def uploaded(self, content: bytes = PNG, **fields: Any) -> Any:
        """An upload whose object is in the storage; what `presign` answered."""
        reply = self.presign(content, **fields)
        assert reply.status == 200, reply.body
        assert send(reply.data, content).status_code == 200
        return reply.data

    def commit(self, upload: Mapping[str, Any]) -> Reply:
        return self.ask("POST", "/api/upload/commit", {"upload_id": upload["upload_id"]})

    def media(self, content: bytes = PNG, **fields: Any) -> Any:
        """A committed file."""
        reply = self.commit(self.uploaded(content, **fields))
        assert reply.status == 200, reply.body
        return reply.data

    def get(self, media_id: str, **query: str) -> Reply:
        return self.ask("GET", f"/api/media/{media_id}", **query)

    def content(self, media_id: str) -> bytes:
        """What the link of the media opens."""
        return opened(self.get(media_id).data["url"])


def send(upload: Mapping[str, Any], content: bytes = PNG, /, **fields: str) -> httpx.Response:
    """Upload a file as the answer of `presign` says; `fields` replace those of the form."""
    if upload["method"] == "put":
        headers = {**upload["headers"], **fields}
        return httpx.put(upload["url"], content=content, headers=headers, timeout=HANG_SECONDS)
    files = {"file": ("a.bin", content, "application/octet-stream")}
    data = {**upload["fields"], **fields}
    return httpx.post(upload["url"], data=data, files=files, timeout=HANG_SECONDS)


def opened(url: str) -> bytes:
    answer = httpx.get(url, timeout=HANG_SECONDS)
    assert answer.status_code == 200, answer.text
    return answer.content


def rows(table: str) -> list[dict[str, Any]]:
    return read(Connection.find_all, dict, f"SELECT * FROM {table}")  # noqa: S608  # ours


def sql(statement: str, **parameters: object) -> None:
    transaction(lambda db: db.execute(statement, **parameters))
