"""Media of users for tests: rows as the upload stores them, and their objects in a fake bucket."""

import struct
import zlib

from shared.database.transactions import transaction
from shared.ids import new_id
from shared.repos import media
from shared.repos.media import Media, MediaText
from shared.times import now_ms
from tests.fakes.oss import Bucket, Object


def png(width: int = 64, height: int = 48, more: bytes = b"") -> bytes:
    """The beginning of a PNG file of this size, with other bytes behind it."""
    chunk = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    checked = struct.pack(">I", zlib.crc32(chunk))
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + checked + more


def add_media(
    user_id: str,
    content_type: str = "image/png",
    *,
    filename: str = "a.png",
    size: int = 100,
    text: MediaText | None = None,
) -> Media:
    media_id = new_id()
    key = f"media/{user_id}/{media_id}"
    one = Media(media_id, new_id(), user_id, key, filename, content_type, size, "7", now_ms())
    transaction(media.add, one, text)
    return one


def add_picture(
    bucket: Bucket, user_id: str, content_type: str = "image/png", data: bytes = b""
) -> Media:
    data = data or png(more=new_id().encode())
    one = add_media(user_id, content_type, size=len(data))
    bucket.objects[one.object_key] = Object(data, {"Content-Type": content_type})
    return one


def add_document(
    user_id: str, text: str, *, filename: str = "report.pdf", is_truncated: bool = False
) -> Media:
    written = MediaText(text, 1, is_truncated)
    return add_media(user_id, "application/pdf", filename=filename, text=written)
