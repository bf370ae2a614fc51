"""Signatures: which type the first bytes of a binary file are. Does no I/O."""

import re
from collections.abc import Iterator

_PDF_WITHIN = 1024  # readers of PDF accept so many bytes before its signature
_ID3 = re.compile(rb"ID3[\x02-\x04][^\xff][\s\S][\x00-\x7f]{4}")
_HEIF_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"})
_AVIF_BRANDS = frozenset({b"avif", b"avis"})  # these files name mif1 or msf1, too
_MP4_BRANDS = frozenset(
    {b"M4A ", b"M4B ", b"isom", b"iso2", b"iso4", b"iso5", b"iso6", b"mp41", b"mp42", b"dash"}
)
_MP4_VIDEO = re.compile(rb"hdlr[\s\S]{8}vide")  # the handler of a track
_OGG_AUDIO = (b"OpusHead", b"\x01vorbis", b"\x7fFLAC", b"Speex   ")
_WEBM_DOCTYPE = re.compile(rb"\x42\x82(?:\x84|\x40\x04|\x01\x00{6}\x04)webm")
_WEBM_VIDEO = re.compile(rb"\x86[\x80-\x9f]V_")  # the codec of a track
_LAYER_3_KILOBITS = {
    3: (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),  # MPEG 1
    2: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),  # MPEG 2
    0: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),  # MPEG 2.5
}
_HERTZ = {
    3: (44100, 48000, 32000),
    2: (22050, 24000, 16000),
    0: (11025, 12000, 8000),
}


def is_jpeg(head: bytes) -> bool:
    return head.startswith(b"\xff\xd8\xff")


def is_png(head: bytes) -> bool:
    return head.startswith(b"\x89PNG\r\n\x1a\n") and head[12:16] == b"IHDR"


def is_gif(head: bytes) -> bool:
    return head.startswith((b"GIF87a", b"GIF89a"))


def is_webp(head: bytes) -> bool:
    is_riff = head.startswith(b"RIFF") and head[8:12] == b"WEBP"
    return is_riff and head[12:16] in {b"VP8 ", b"VP8L", b"VP8X"}


def is_heif(head: bytes) -> bool:
    """HEIC or HEIF by the brands of ISO 23008-12, and not AVIF."""
    brands = _brands(head)
    return bool(brands) and brands[0] in _HEIF_BRANDS and _AVIF_BRANDS.isdisjoint(brands)


def is_m4a(head: bytes) -> bool:
    """MP4 in which no video track is seen: the brands of sound and of films are the same."""
    brands = _brands(head)
    return bool(brands) and brands[0] in _MP4_BRANDS and not _MP4_VIDEO.search(head)


def _brands(head: bytes) -> list[bytes]:
    """The major brand of an ISO base media file, and its compatible brands."""
    size = int.from_bytes(head[:4], "big")
    if head[4:8] != b"ftyp" or size < 16:
        return []
    end = min(size, len(head))
    return [head[8:12], *(head[at : at + 4] for at in range(16, end - 3, 4))]


def pdf_start(head: bytes) -> int:
    """Where the signature of PDF stands; -1 without one."""
    return head[:_PDF_WITHIN].find(b"%PDF-")


def is_wav(head: bytes) -> bool:
    return head.startswith(b"RIFF") and head[8:12] == b"WAVE"


def is_ogg_audio(head: bytes) -> bool:
    """Ogg whose first page opens a stream of sound: Opus, Vorbis, FLAC or Speex."""
    if not head.startswith(b"OggS\x00") or len(head) < 28:
        return False
    return head[27 + head[26] :].startswith(_OGG_AUDIO)


def is_webm_audio(head: bytes) -> bool:
    """EBML with the document type of WebM, in which no video track is seen."""
    is_webm = head.startswith(b"\x1a\x45\xdf\xa3") and _WEBM_DOCTYPE.search(head[:128])
    return bool(is_webm) and not _WEBM_VIDEO.search(head)


def is_mp3(head: bytes) -> bool:
    """A tag of ID3v2, or frames of MPEG layer III: two, unless the file ends with the first."""
    if _ID3.match(head):
        return True
    ends = list(_frame_ends(head))
    return bool(ends) and (len(ends) == 2 or ends[0] == len(head))


def _frame_ends(head: bytes) -> Iterator[int]:
    at = 0
    for _ in range(2):
        length = _frame_length(head[at : at + 4])
        if not length:
            return
        at += length
        yield at


def _frame_length(header: bytes) -> int:
    """The length of a frame of MPEG layer III by its header; 0 if this is none."""
    bits = int.from_bytes(header, "big")
    version, layer = bits >> 19 & 3, bits >> 17 & 3
    rate, hertz, padding = bits >> 12 & 15, bits >> 10 & 3, bits >> 9 & 1
    is_frame = len(header) == 4 and bits >> 21 == 0x7FF and layer == 1
    if not is_frame or version == 1 or rate in {0, 15} or hertz == 3:
        return 0
    slots = 144 if version == 3 else 72
    return slots * 1000 * _LAYER_3_KILOBITS[version][rate] // _HERTZ[version][hertz] + padding
