"""Content types of files that users may upload, and the bytes of each. Does no I/O.

A file is what its first bytes are. A file may be two things at once, such as a GIF with a
page after its signature: it is a GIF here, and links serve it with its stored type and
`nosniff`, so that a browser takes it for nothing else. SVG and HTML are never accepted.
"""

from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType

from shared.media import plain_text, signatures

PICTURE, DOCUMENT, AUDIO = "picture", "document", "audio"
HEAD_BYTES = 4096  # what `matches` needs of a file
_OTHER_SIGNATURES = ("%PDF-", "GIF87a", "GIF89a")  # those that are text


@dataclass(frozen=True)
class _Type:
    kind: str
    extension: str
    has_signature: Callable[[bytes], bool]
    aliases: tuple[str, ...] = ()


def _is_pdf(head: bytes) -> bool:
    start = signatures.pdf_start(head)
    return start >= 0 and not plain_text.is_page(head[:start].decode("latin-1"))


def _is_text(head: bytes) -> bool:
    text = _text_of(head)
    return bool(text) and not plain_text.is_page(text)


def _is_markdown(head: bytes) -> bool:
    text = _text_of(head)
    return bool(text) and not plain_text.is_page(text, may_have_tags=True)


def _text_of(head: bytes) -> str:
    """The text of the first bytes; nothing if they are no text, or the type of them is another."""
    text = plain_text.decode(head, is_whole=False) or ""
    return "" if text.lstrip().startswith(_OTHER_SIGNATURES) else text


_TYPES = MappingProxyType(
    {
        "image/jpeg": _Type(PICTURE, "jpg", signatures.is_jpeg, ("image/jpg", "image/pjpeg")),
        "image/png": _Type(PICTURE, "png", signatures.is_png, ("image/x-png",)),
        "image/webp": _Type(PICTURE, "webp", signatures.is_webp),
        "image/gif": _Type(PICTURE, "gif", signatures.is_gif),
        "image/heic": _Type(PICTURE, "heic", signatures.is_heif),
        "image/heif": _Type(PICTURE, "heif", signatures.is_heif),
        "application/pdf": _Type(DOCUMENT, "pdf", _is_pdf, ("application/x-pdf",)),
        "text/plain": _Type(DOCUMENT, "txt", _is_text),
        "text/markdown": _Type(DOCUMENT, "md", _is_markdown, ("text/x-markdown",)),
        "text/csv": _Type(
            DOCUMENT,
            "csv",
            _is_text,
            ("application/csv", "text/x-csv", "text/comma-separated-values"),
        ),
        "audio/mpeg": _Type(
            AUDIO, "mp3", signatures.is_mp3, ("audio/mp3", "audio/x-mp3", "audio/x-mpeg")
        ),
        "audio/wav": _Type(
            AUDIO, "wav", signatures.is_wav, ("audio/x-wav", "audio/wave", "audio/vnd.wave")
        ),
        "audio/mp4": _Type(
            AUDIO,
            "m4a",
            signatures.is_m4a,
            ("audio/x-m4a", "audio/m4a", "audio/aac", "audio/mp4a-latm"),
        ),
        "audio/ogg": _Type(
            AUDIO, "ogg", signatures.is_ogg_audio, ("application/ogg", "audio/opus", "audio/x-ogg")
        ),
        "audio/webm": _Type(AUDIO, "webm", signatures.is_webm_audio),
    }
)
ALLOWED = tuple(_TYPES)
_NAMES = MappingProxyType(
    {alias: name for name, type_ in _TYPES.items() for alias in (name, *type_.aliases)}
)


def canonical(declared: str) -> str:
    """The name of a type here, without parameters; one that is unknown keeps its own name."""
    essence = declared.partition(";")[0].strip().lower()
    return _NAMES.get(essence, essence)


def kind_of(content_type: str) -> str:
    """Picture, document or audio; the type must be one of ALLOWED, or an alias (else KeyError)."""
    return _TYPES[canonical(content_type)].kind


def extension_of(content_type: str) -> str:
    """The ending of a file's name, without a dot; the type must be one of ALLOWED."""
    return _TYPES[canonical(content_type)].extension


def matches(content_type: str, head: bytes) -> bool:
    """Whether the first 4 KiB of a file are of this type; never for a type that is not allowed."""
    type_ = _TYPES.get(canonical(content_type))
    return type_ is not None and type_.has_signature(head[:HEAD_BYTES])
