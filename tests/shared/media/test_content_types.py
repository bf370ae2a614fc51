"""A file is of the type that its client declared, by its first bytes, or it is refused."""

from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.media import content_types
from shared.media.content_types import ALLOWED, canonical, extension_of, kind_of, matches

# 128 kbit/s at 44.1 kHz: 417 bytes. Twice, because one header may be an accident.
MP3_FRAME = b"\xff\xfb\x90\x00" + bytes(413)
MP4_TRACK = b"\x00\x00\x00\x21hdlr" + bytes(8)


def ftyp(major: bytes, *compatible: bytes) -> bytes:
    brands = b"".join(compatible)
    return (16 + len(brands)).to_bytes(4, "big") + b"ftyp" + major + bytes(4) + brands


def ogg(payload: bytes) -> bytes:
    return b"OggS\x00\x02" + bytes(20) + b"\x01" + bytes([len(payload)]) + payload


def webm(doctype: bytes, codec: bytes = b"A_OPUS") -> bytes:
    header = b"\x42\x86\x81\x01\x42\x82" + bytes([0x80 + len(doctype)]) + doctype
    track = b"\x86" + bytes([0x80 + len(codec)]) + codec
    return b"\x1a\x45\xdf\xa3" + bytes([0x80 + len(header)]) + header + b"\x16\x54\xae\x6b" + track


REAL: dict[str, list[bytes]] = {
    "image/jpeg": [b"\xff\xd8\xff\xe0\x00\x10JFIF\x00", b"\xff\xd8\xff\xe1\x00\x10Exif\x00"],
    "image/png": [b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + bytes(17)],
    "image/webp": [b"RIFF\x24\x00\x00\x00WEBPVP8 ", b"RIFF\x24\x00\x00\x00WEBPVP8X"],
    "image/gif": [b"GIF87a\x01\x00", b"GIF89a\x01\x00"],
    "image/heic": [
        ftyp(b"heic", b"mif1", b"heic"),
        ftyp(b"mif1", b"mif1", b"heic"),
        ftyp(b"hevc", b"msf1", b"hevc"),
        ftyp(b"heix"),
    ],
    "application/pdf": [b"%PDF-1.7\n", b"\xef\xbb\xbf\r\n%PDF-1.4", bytes(1000) + b"%PDF-1.4"],
    "text/plain": [
        "你好，世界".encode(),
        b"\xef\xbb\xbfabc",
        "你好，世界。这是一段文字。".encode("gb18030"),
        "Ἑλλάς".encode("utf-16"),
        b"a < b and <script> is a tag of HTML",
        b"a\tb\r\nc\x0cd",
    ],
    "text/markdown": [b"# Title\n", b'<p align="center">x</p>', b"<!-- note -->\n# Title"],
    "text/csv": ["姓名,城市\n".encode(), "姓名,城市\n".encode("gbk"), b"a;b\n<;>\n"],
    "audio/mpeg": [
        MP3_FRAME * 2,
        MP3_FRAME,
        b"ID3\x03\x00\x00\x00\x00\x0f\x76" + bytes(20),
        b"ID3\x04\x00\x00\x00\x00\x0f\x76" + b"\xff" * 20,
    ],
    "audio/wav": [b"RIFF\x24\x00\x00\x00WAVEfmt "],
    "audio/mp4": [ftyp(b"M4A ", b"isom"), ftyp(b"mp42", b"mp42") + MP4_TRACK + b"soun"],
    "audio/ogg": [ogg(b"OpusHead\x01"), ogg(b"\x01vorbis"), ogg(b"\x7fFLAC")],
    "audio/webm": [webm(b"webm")],
}
REAL["image/heif"] = REAL["image/heic"]
SAME = [{"image/heic", "image/heif"}, {"text/plain", "text/markdown", "text/csv"}]

PAGES = [
    b"<!DOCTYPE html><p>x",
    b"<!doctype HTML>",
    b"<html>",
    b"<HTML lang=en>",
    b"\xef\xbb\xbf  \n<html>",
    b"<!-- a --><!-- b -->\n<html>",
    b"<!--><script>alert(1)</script>-->",
    b"<!---><script>alert(1)</script>-->",
    b"<!-- a --!><script>alert(1)</script>-->",
    b"<!-- " + b"a" * 9000,
    b"<svg xmlns='http://www.w3.org/2000/svg'>",
    b"<svg/onload=alert(1)>",
    b"<x:svg xmlns:x='http://www.w3.org/2000/svg'>",
    b"<?xml version='1.0'?><svg>",
    b"<?php system($_GET[0]);",
    b"<script>alert(1)</script>",
    b"<body onload=alert(1)>",
    b"<iframe src=x>",
    b"\x0c<script >",
    "\u200b\u2060<html>".encode(),
    "<html>".encode("utf-16"),
    "<html><p>你好世界</p>".encode("gb18030"),
]
BINARY = [
    b"",
    b"MZ\x90\x00\x03",
    b"PK\x03\x04\x14\x00",
    b"\x7fELF\x02\x01",
    b"a\x00b",
    b"a\x1b[31mb",
    b"a\x7fb",
    b"\xff\xfe\x00",
    b"abc \x80\xff",
    "<html>".encode("utf-16")[2:],
]


@pytest.mark.parametrize("declared", ALLOWED)
def test_bytes_of_a_type_are_of_that_type_and_of_no_other(declared: str) -> None:
    same = next((types for types in SAME if declared in types), {declared})
    for head in REAL[declared]:
        assert matches(declared, head), head
        assert {other for other in ALLOWED if matches(other, head)} <= same, head


@pytest.mark.parametrize("declared", ALLOWED)
def test_a_page_is_of_no_type(declared: str) -> None:
    assert [page for page in PAGES if matches(declared, page)] == []


@pytest.mark.parametrize("declared", ALLOWED)
def test_other_bytes_are_of_no_type(declared: str) -> None:
    assert [head for head in BINARY if matches(declared, head)] == []


@pytest.mark.parametrize(
    ("declared", "head"),
    [
        ("image/png", b"\x89PNG\r\n\x1a\n<html>"),
        ("image/heic", ftyp(b"avif", b"mif1", b"miaf")),
        ("image/heic", ftyp(b"mif1", b"mif1", b"avif")),
        ("image/heic", ftyp(b"isom", b"mif1")),
        ("image/heic", b"\x00\x00\x00\x08ftypheic"),
        ("image/webp", b"RIFF\x24\x00\x00\x00WEBPabcd"),
        ("audio/wav", b"RIFF\x24\x00\x00\x00AVI LIST"),
        ("audio/mp4", ftyp(b"qt  ", b"qt  ")),
        ("audio/mp4", ftyp(b"isom", b"mp42") + MP4_TRACK + b"vide"),
        ("audio/mpeg", b"\xff\xfb\x90\x00" + bytes(800)),
        ("audio/mpeg", b"\xff\xf1\x50\x80" + bytes(800)),
        ("audio/mpeg", b"ID3\x03\x00\x00\xff\xff\xff\xff"),
        ("audio/ogg", ogg(b"\x80theora")),
        ("audio/webm", webm(b"matroska")),
        ("audio/webm", webm(b"webm", b"V_VP8")),
        ("application/pdf", bytes(1024) + b"%PDF-1.4"),
        ("application/pdf", b"<html>%PDF-1.4"),
        ("text/plain", b"<p align=center>"),
        ("text/csv", b"<table><tr>"),
    ],
)
def test_a_cousin_of_a_type_is_not_that_type(declared: str, head: bytes) -> None:
    assert not matches(declared, head)


def test_a_picture_with_a_page_behind_its_signature_is_a_picture() -> None:
    head = b"GIF89a/*<html><script>alert(1)</script>"
    assert [declared for declared in ALLOWED if matches(declared, head)] == ["image/gif"]


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030", "utf-16"])
def test_a_character_on_the_edge_of_the_head_is_no_fault(encoding: str) -> None:
    for blanks in range(4):
        text = " " * blanks + "汉" * 5000
        assert matches("text/plain", text.encode(encoding))


@pytest.mark.parametrize(
    ("declared", "name"),
    [
        ("image/jpg", "image/jpeg"),
        ("IMAGE/JPEG", "image/jpeg"),
        ("audio/mp3", "audio/mpeg"),
        ("audio/x-wav", "audio/wav"),
        ("audio/wave", "audio/wav"),
        ("audio/vnd.wave", "audio/wav"),
        ("audio/x-m4a", "audio/mp4"),
        ("audio/m4a", "audio/mp4"),
        ("audio/aac", "audio/mp4"),
        ("application/ogg", "audio/ogg"),
        ("text/x-markdown", "text/markdown"),
        ("text/csv; charset=gbk", "text/csv"),
        (' Audio/WebM ;codecs="opus"', "audio/webm"),
        ("image/svg+xml", "image/svg+xml"),
        ("", ""),
    ],
)
def test_each_type_has_one_name(declared: str, name: str) -> None:
    assert canonical(declared) == name


def test_a_type_has_a_kind_and_an_extension() -> None:
    assert {kind_of(each) for each in ALLOWED} == {"picture", "document", "audio"}
    assert len({extension_of(each) for each in ALLOWED}) == len(ALLOWED)
    assert (kind_of("audio/x-m4a"), extension_of("audio/x-m4a")) == ("audio", "m4a")


@pytest.mark.parametrize("declared", ["image/svg+xml", "text/html", "application/xhtml+xml"])
def test_svg_and_html_are_never_accepted(declared: str) -> None:
    assert declared not in ALLOWED
    assert not any(matches(declared, head) for head in [*PAGES, *chain(*REAL.values())])


@given(declared=st.sampled_from(ALLOWED) | st.text(), head=st.binary(max_size=6000))
def test_any_bytes_of_any_type_are_judged(declared: str, head: bytes) -> None:
    assert matches(declared, head) in {True, False}
    assert matches(declared, head) == matches(declared, head[: content_types.HEAD_BYTES])


@given(head=st.binary(min_size=1, max_size=300), declared=st.sampled_from(ALLOWED))
def test_bytes_behind_a_signature_do_not_matter(head: bytes, declared: str) -> None:
    signature = REAL[declared][0]
    if kind_of(declared) == "picture":
        assert matches(declared, signature + head)
