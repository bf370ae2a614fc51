"""Serves files of the folder that replaces a bucket, to requests with a signed link."""

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qsl

from scripts.tooling.local.gateway.client import Client, answer
from scripts.tooling.local.gateway.events import Call
from scripts.tooling.local.gateway.refusals import LinkRefused, NoRoute
from scripts.tooling.manifest.s_yaml import Manifest
from shared.config import Secret
from shared.storage.folder import LINK_PATH, opens
from shared.storage.folder_paths import about_file

_CHUNK_BYTES = 256 * 1024


class Files:
    def __init__(self, manifest: Manifest) -> None:
        """Take the folder and the signing key from the functions that write there."""
        given = (function.environment for function in manifest.functions)
        found = next((one for one in given if one.get("STORAGE_FOLDER")), {})
        self._folder, self._secret = found.get("STORAGE_FOLDER"), found.get("JWT_SECRET", "")

    def has(self, path: str) -> bool:
        return bool(self._folder) and path.startswith(LINK_PATH)

    async def serve(self, call: Call, client: Client) -> None:
        """Send the file of a link. Raises: LinkRefused, NoRoute."""
        key, query = call.path.removeprefix(LINK_PATH), dict(parse_qsl(call.query))
        if call.method not in {"GET", "HEAD"} or not opens(Secret(self._secret), key, query):
            raise LinkRefused("this link was not made here, or has expired")
        place = Path(self._folder or "", key)
        if not place.is_file():
            raise NoRoute("the file of this link is gone")
        headers = [*_headers(place), ("content-disposition", _attached(query["filename"]))]
        if call.method == "HEAD":
            await answer(client, 200, headers, b"")
            return
        await client.start(200, [*headers, ("content-length", str(place.stat().st_size))])
        for chunk in _chunks(place):
            await client.send(chunk, more=True)
        await client.send(b"", more=False)


def _headers(place: Path) -> Iterator[tuple[str, str]]:
    about = json.loads(about_file(place).read_text("utf-8"))
    yield "content-type", about["media_type"]
    if "aigc" in about:
        yield "x-aigc", about["aigc"]


def _attached(filename: str) -> str:
    return f'attachment; filename="{filename}"'


def _chunks(place: Path) -> Iterator[bytes]:
    with place.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            yield chunk
