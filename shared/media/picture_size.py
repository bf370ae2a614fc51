"""Width and height of a picture, from its first bytes: PNG, JPEG, GIF or WebP. Does no I/O."""

import struct
from collections.abc import Iterator
from typing import NamedTuple

HEAD_BYTES = 96 * 1024  # a JPEG has its size behind a preview of up to 64 KiB and a color profile

_LONGEST_SIDE = 2**31 - 1  # of a PNG


class Size(NamedTuple):
    width: int
    height: int


def picture_size(head: bytes) -> Size | None:
    """None: the picture is of another type, or the bytes end before its size."""
    for read in (_png, _gif, _webp, _jpeg):
        try:
            size = read(head)
        except (struct.error, IndexError):
            continue
        if size and min(size) > 0 and max(size) <= _LONGEST_SIDE:
            return size
    return None


def _png(head: bytes) -> Size | None:
    if not head.startswith(b"\x89PNG\r\n\x1a\n") or head[12:16] != b"IHDR":
        return None
    return Size(*struct.unpack_from(">II", head, 16))


def _gif(head: bytes) -> Size | None:
    """The area of the screen and the first picture, because decoders enlarge the screen to it."""
    if not head.startswith((b"GIF87a", b"GIF89a")):
        return None
    width, height, flags = struct.unpack_from("<HHB", head, 6)
    at = _gif_picture(head, 13 + _gif_colors(flags))
    left, top, inner_width, inner_height = struct.unpack_from("<HHHH", head, at + 1)
    return Size(max(width, left + inner_width), max(height, top + inner_height))


def _gif_colors(flags: int) -> int:
    """The length of the table of colors."""
    return 3 * 2 ** (1 + (flags & 7)) if flags & 0x80 else 0


def _gif_picture(head: bytes, at: int) -> int:
    """Where the first picture is described, after extensions. Raises: IndexError: nowhere."""
    while head[at] == 0x21:
        at += 2
        while head[at]:  # a block and its length
            at += 1 + head[at]
        at += 1
    if head[at] != 0x2C:
        raise IndexError
    return at


def _webp(head: bytes) -> Size | None:
    """The three kinds of a WebP file: lossy, lossless and extended (RFC 9649)."""
    if head[:4] != b"RIFF" or head[8:12] != b"WEBP":
        return None
    kind = head[12:16]
    if kind == b"VP8 ":
        width, height = struct.unpack_from("<HH", head, 26)
        return Size(width & 0x3FFF, height & 0x3FFF)
    if kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", head, 21)
        return Size((bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1)
    if kind == b"VP8X" and len(head) >= 30:
        width, height = (int.from_bytes(head[at : at + 3], "little") for at in (24, 27))
        return Size(width + 1, height + 1)
    return None


def _jpeg(head: bytes) -> Size | None:
    """The size in the frame header (ITU-T T.81, B.2.2)."""
    if not head.startswith(b"\xff\xd8"):
        return None
    for marker, at in _segments(head):
        is_frame = 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC)
        if is_frame:
            height, width = struct.unpack_from(">HH", head, at + 3)
            return Size(width, height)
    return None


def _segments(head: bytes) -> Iterator[tuple[int, int]]:
    """The marker of each segment and the position of its length. Raises: IndexError at the end."""
    at = 2
    while head[at] == 0xFF:
        marker = head[at + 1]
        if marker == 0xFF:  # a fill byte
            at += 1
            continue
        if marker <= 0x01 or 0xD0 <= marker <= 0xDA:  # no length follows, or the scan begins
            return
        yield marker, at + 2
        (length,) = struct.unpack_from(">H", head, at + 2)
        at += 2 + max(length, 2)
