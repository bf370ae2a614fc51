"""Objects of the folder as answers, whole or a range of them."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from scripts.tooling.local.gateway.client import Client
from scripts.tooling.local.gateway.platform_rules import Headers
from scripts.tooling.local.gateway.storage.errors import NoSuchKey
from shared.storage.folder_files import KeyRefused, about, object_path

_CHUNK_BYTES = 256 * 1024


async def send_object(
    client: Client, root: Path, key: str, wanted_range: str, headers: Headers
) -> None:
    """Raises: NoSuchKey."""
    try:
        place = object_path(root, key)
        described, file = about(place), place.open("rb")
    except (KeyRefused, FileNotFoundError, NotADirectoryError, IsADirectoryError):
        raise NoSuchKey("there is no such file") from None
    with file:
        size = os.fstat(file.fileno()).st_size
        first, last = _range(wanted_range, size)
        is_whole = (first, last) == (0, size - 1)
        sent = [*headers, *_described(described), ("content-length", str(last - first + 1))]
        if not is_whole:
            sent.append(("content-range", f"bytes {first}-{last}/{size}"))
        await client.start(200 if is_whole else 206, sent)
        for chunk in _chunks(file, first, last):
            await client.send(chunk, more=True)
        await client.send(b"", more=False)


def _described(about: dict[str, str]) -> Iterator[tuple[str, str]]:
    yield "content-type", about["media_type"]
    yield "x-content-type-options", "nosniff"
    yield "accept-ranges", "bytes"
    if "aigc" in about:
        yield "x-aigc", about["aigc"]


def _range(wanted: str, size: int) -> tuple[int, int]:
    """The first and the last byte; of the whole file if the range is invalid, as OSS does it."""
    found = re.fullmatch(r"bytes=(\d{0,15})-(\d{0,15})", wanted, re.ASCII)
    if found is None or not (found[1] or found[2]):
        return 0, size - 1
    if not found[1]:
        first, last = max(0, size - int(found[2])), size - 1
    else:
        first, last = int(found[1]), min(int(found[2] or size), size - 1)
    return (first, last) if first <= last else (0, size - 1)


def _chunks(file: BinaryIO, first: int, last: int) -> Iterator[bytes]:
    file.seek(first)
    left = last - first + 1
    while left > 0 and (chunk := file.read(min(left, _CHUNK_BYTES))):
        left -= len(chunk)
        yield chunk
