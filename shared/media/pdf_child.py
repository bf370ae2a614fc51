"""The process that reads a PDF: bytes from stdin, lines of JSON to stdout, and hard limits.

A PDF is a program by a stranger, and no parser is safe against all of them. So this process
has no secrets in its environment, opens no connections, and the kernel ends it when it takes
too much time or memory, or writes too much. pdf_process.py starts it and reads the lines:
`{"pages": 12}` when the document is open, `{"text": "..."}` for each page (null if it is broken),
`{"whole": true}` after the last one. What was written before the end is used.
"""

import io
import json
import resource
import signal
import sys
from itertools import islice
from typing import TYPE_CHECKING, Any

from shared.media.pdf_pages import page_count, pages_of

if TYPE_CHECKING:
    from pypdf import PageObject, PdfReader

SECONDS = 10
PAGES = 200
# Address space: 60 MB are the interpreter's and pypdf's.
MEMORY_BYTES = 320 << 20
OUTPUT_BYTES = 8 << 20
CHARACTERS = 250_000  # with blanks and controls; of a cleaned text fewer are stored
_STREAM_BYTES = 32 << 20  # of one unpacked stream
_LIMITS = (
    (resource.RLIMIT_CPU, SECONDS),
    (resource.RLIMIT_AS, MEMORY_BYTES),
    (resource.RLIMIT_DATA, MEMORY_BYTES),
    (resource.RLIMIT_FSIZE, OUTPUT_BYTES),
    (resource.RLIMIT_CORE, 0),
)
_REFUSED_EVENTS = ("socket.", "subprocess.", "os.system", "os.exec", "os.fork", "os.posix_spawn")


def main() -> None:
    _limit()
    # Without them here, as in the package of a function, documents read the same everywhere.
    for name in ("cryptography", "Crypto", "PIL"):
        sys.modules[name] = None  # type: ignore[assignment]  # an import of it fails
    import pypdf

    _write(started=True)
    pypdf.overwrite_configuration(
        zlib_maximum_output_length=_STREAM_BYTES,
        array_based_stream_maximum_output_length=_STREAM_BYTES,
        lzw_maximum_output_length=_STREAM_BYTES,
        run_length_maximum_output_length=_STREAM_BYTES,
        jbig2dec_binary=None,
        disable_legacy_handling=True,
    )
    try:
        reader = pypdf.PdfReader(io.BytesIO(sys.stdin.buffer.read()))
        _write(pages=page_count(reader))
        pages, whole = _write_texts(reader)
    except Exception as error:  # noqa: BLE001  # the parser raises many classes at broken files
        return _write(failure=type(error).__name__)
    return _write(pages=max(pages, page_count(reader)), whole=whole)


def _limit() -> None:
    for kind, value in _LIMITS:
        try:
            resource.setrlimit(kind, (value, value))
        except (ValueError, OSError):  # macOS has no limit of memory
            continue
    signal.alarm(SECONDS + 1)  # if the parent is gone
    sys.addaudithook(_refuse)


def _refuse(event: str, _arguments: Any) -> None:
    if event.startswith(_REFUSED_EVENTS):
        raise PermissionError(event)


def _write_texts(reader: "PdfReader") -> tuple[int, bool]:
    """Write the text of each page within the limits; how many, and whether they are all."""
    pages, count, left, whole = pages_of(reader), 0, CHARACTERS, True
    for page in islice(pages, PAGES):
        text = _text_of(page)
        _write(text=text and text[:left])
        whole = whole and text is not None and len(text) <= left
        count, left = count + 1, left - len(text or "")
        if left <= 0:
            break
    return count, whole and next(pages, None) is None and count >= page_count(reader)


def _text_of(page: "PageObject") -> str | None:
    """The text of a page; None if the page is broken, or too much for our memory."""
    try:
        return page.extract_text()
    except Exception:  # noqa: BLE001  # the parser raises many classes at broken pages
        return None


def _write(**line: object) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
