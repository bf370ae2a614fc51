"""The size of a picture is read from its first bytes, whatever they are."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.media.picture_size import Size, picture_size
from tests.media_files import png

JPEG_START = b"\xff\xd8\xff\xe0\x00\x10JFIF\0" + bytes(9)


def jpeg(width: int, height: int, *before: bytes, marker: int = 0xC0) -> bytes:
    frame = struct.pack(">BBHBHHB", 0xFF, marker, 17, 8, height, width, 3)
    return JPEG_START + b"".join(before) + frame + bytes(20)


def hiding(marker: bytes) -> bytes:
    """A large JPEG with a small frame where the frame would be if the marker had a length."""
    large = JPEG_START + marker + jpeg(4032, 3024)[len(JPEG_START) :]
    length = int.from_bytes(b"\xff\xc0", "big")
    return large.ljust(len(JPEG_START) + 2 + length, b"\0") + jpeg(7, 7)[len(JPEG_START) :]


def gif(width: int, height: int, *before: bytes, inner: tuple[int, int] = (1, 1)) -> bytes:
    """A GIF whose screen and first picture have these sizes; the picture stands at 2, 3."""
    screen = b"GIF89a" + struct.pack("<HH", width, height)
    return screen + (b"".join(before) or b"\0\0\0") + b"," + struct.pack("<HHHH", 2, 3, *inner)


def webp(kind: bytes, body: bytes) -> bytes:
    return b"RIFF" + bytes(4) + b"WEBP" + kind + bytes(4) + body


LONG = b"\xff\xe1" + struct.pack(">H", 65_535) + bytes(65_533)  # a preview
TABLE = b"\xff\xc4\x00\x04ab"


@pytest.mark.parametrize(
    ("head", "size"),
    [
        (png(640, 480), (640, 480)),
        (gif(300, 20), (300, 20)),
        (gif(1, 1, inner=(4000, 3000)), (4002, 3003)),
        (
            gif(300, 20, b"\x81\0\0", bytes(12), b"!\xf9\x04abcd\0", b"!\xfe\x02,,\x01,\0"),
            (300, 20),
        ),
        (jpeg(4032, 3024), (4032, 3024)),
        (jpeg(4032, 3024, TABLE, LONG, b"\xff"), (4032, 3024)),
        (jpeg(70, 30, marker=0xC2), (70, 30)),
        (webp(b"VP8 ", b"\0\0\0\x9d\x01\x2a" + struct.pack("<HH", 500, 400)), (500, 400)),
        (webp(b"VP8L", b"\x2f" + struct.pack("<I", 499 | 399 << 14)), (500, 400)),
        (webp(b"VP8X", bytes(4) + b"\xf3\x01\0" + b"\x8f\x01\0"), (500, 400)),
    ],
)
def test_the_size_is_in_the_first_bytes(head: bytes, size: tuple[int, int]) -> None:
    assert picture_size(head) == Size(*size)


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"a text",
        png(0, 7),
        png(2**31, 7),
        png()[:20],
        jpeg(4032, 3024)[:22],
        JPEG_START + b"\xff\xda" + jpeg(7, 7)[2:],
        JPEG_START + b"ab" + jpeg(7, 7),
        hiding(b"\xff\xd0"),
        hiding(b"\xff\x01"),
        gif(300, 20)[:15],
        gif(300, 20, b"\0\0\0;"),
        webp(b"VP8X", b"\0"),
        webp(b"ALPH", bytes(30)),
    ],
)
def test_without_a_size_there_is_none(head: bytes) -> None:
    assert picture_size(head) is None


@given(
    st.sampled_from([png(), b"GIF89a", JPEG_START, webp(b"VP8 ", b""), webp(b"VP8L", b"")]),
    st.binary(max_size=200),
)
def test_no_bytes_are_an_error(start: bytes, more: bytes) -> None:
    size = picture_size(start + more)
    assert size is None or min(size) > 0
